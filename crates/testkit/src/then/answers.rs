use std::fmt;

use catga_core::{DomainError, Failure, FaultCode};

use super::Then;

/// What the command was answered with.
impl<R: fmt::Debug, E: DomainError> Then<R, E> {
    /// It replied `expected`.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn then_reply(self, expected: R) -> Self
    where
        R: PartialEq,
    {
        let holds = self.answer.as_ref().ok() == Some(&expected);
        self.expect_answer("then_reply", holds, format_args!("the reply {expected:?}"));
        self
    }

    /// It refused with `expected`.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn then_refused(self, expected: E) -> Self
    where
        E: PartialEq,
    {
        let holds = self.refusal() == Some(&expected);
        self.expect_answer("then_refused", holds, format_args!("the refusal {expected:?}"));
        self
    }

    /// It refused with an error of the written code `expected`, whatever it says besides.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn then_refused_as(self, expected: &str) -> Self {
        let holds = self.refusal().is_some_and(|refusal| refusal.code() == expected);
        self.expect_answer("then_refused_as", holds, format_args!("a refusal `{expected}`"));
        self
    }

    /// It failed with a fault of this code.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn then_fault(self, expected: FaultCode) -> Self {
        let fault = self.answer.as_ref().err().and_then(Failure::fault);
        let holds = fault.is_some_and(|fault| fault.code() == expected);
        self.expect_answer("then_fault", holds, format_args!("a fault `{}`", expected.as_str()));
        self
    }

    /// The reply, for checks of one's own.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn into_reply(self) -> R {
        self.expect_answer("into_reply", self.answer.is_ok(), format_args!("a reply"));
        match self.answer {
            Ok(reply) => reply,
            Err(_) => unreachable!("it was checked above"),
        }
    }

    fn refusal(&self) -> Option<&E> {
        self.answer.as_ref().err().and_then(Failure::refusal)
    }

    #[track_caller]
    fn expect_answer(&self, step: &str, holds: bool, expected: fmt::Arguments<'_>) {
        assert!(
            holds,
            "{step}, after {}:\n  expected {expected}\n  but it {}",
            self.name,
            self.answered()
        );
    }
}
