//! What came of the command under test.

mod answers;
mod conditions;
mod recorded;

use std::fmt;

use catga_core::{Answer, Condition, DomainError, Failure, NewEvent, Staged};

use crate::given::Given;
use crate::written::Readers;

/// What came of the command under test: its answer, the events that it recorded, and the
/// conditions under which they count.
///
/// Each `then_…` checks one thing and gives the rest on. One that does not hold panics, and says
/// what was expected and what came.
#[derive(Debug)]
pub struct Then<R, E> {
    /// What ran, as messages name it.
    pub(crate) name: String,
    pub(crate) given: Given,
    pub(crate) answer: Answer<R, E>,
    pub(crate) staged: Staged,
    pub(crate) readers: Readers,
}

impl<R, E> Then<R, E> {
    /// The answer.
    pub fn answer(&self) -> &Answer<R, E> {
        &self.answer
    }

    /// The events that were recorded, in order.
    pub fn events(&self) -> &[NewEvent] {
        &self.staged.events
    }

    /// The conditions under which the effect counts.
    pub fn conditions(&self) -> &[Condition] {
        &self.staged.conditions
    }

    /// The past with what was recorded here: where the next command of a story goes on.
    ///
    /// Views are as they were: make the service's anew.
    pub fn and(self) -> Given {
        let Self { mut given, staged, readers, .. } = self;
        given.take_over(staged.events, readers);
        given
    }
}

impl<R: fmt::Debug, E: DomainError> Then<R, E> {
    /// The answer for people, in a sentence that goes on from "it".
    fn answered(&self) -> String {
        match &self.answer {
            Ok(reply) => format!("replied {reply:?}"),
            Err(Failure::Domain(error)) => {
                format!("refused with {error:?} (`{}`: {error})", error.code())
            }
            Err(Failure::Fault(fault)) => format!("failed with the fault {fault}"),
        }
    }
}
