use std::fmt;

/// What a check found: the promise is kept, or the backend cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Kept, as far as the check went.
    Kept,
    /// The check needs what the harness cannot do; what that is.
    NotApplicable(&'static str),
}

/// A promise that was broken: the check fails with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("guarantee {guarantee} is broken: {what}")]
pub struct Violation {
    /// The number of the promise in the documentation of its trait.
    pub guarantee: u8,
    /// What was seen.
    pub what: String,
}

impl Violation {
    /// Promise number `guarantee` was broken, as `what` says.
    pub fn new(guarantee: u8, what: impl fmt::Display) -> Self {
        Self { guarantee, what: what.to_string() }
    }
}

/// What a check returns.
pub type Check = Result<Finding, Violation>;

/// The findings of a whole suite, by the name of the check.
#[derive(Clone, Debug, Default)]
pub struct Report {
    findings: Vec<(&'static str, Check)>,
}

impl Report {
    /// Adds what the check called `name` found.
    pub(super) fn add(&mut self, name: &'static str, check: Check) {
        self.findings.push((name, check));
    }

    /// Every check with what it found, in order.
    pub fn findings(&self) -> &[(&'static str, Check)] {
        &self.findings
    }

    /// The checks that could not be asked.
    pub fn not_applicable(&self) -> impl Iterator<Item = &'static str> {
        let findings = self.findings.iter();
        findings
            .filter(|(_, check)| matches!(check, Ok(Finding::NotApplicable(_))))
            .map(|(name, _)| *name)
    }

    /// Fails if any promise was broken.
    ///
    /// # Panics
    /// With the whole report, when a check found a violation.
    #[track_caller]
    pub fn assert_kept(&self) {
        let broken = self.findings.iter().any(|(_, check)| check.is_err());
        assert!(!broken, "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, check) in &self.findings {
            match check {
                Ok(Finding::Kept) => writeln!(f, "kept            {name}")?,
                Ok(Finding::NotApplicable(why)) => writeln!(f, "not applicable  {name}: {why}")?,
                Err(violation) => writeln!(f, "BROKEN          {name}: {violation}")?,
            }
        }
        Ok(())
    }
}

/// Returns a [`Violation`] of promise `$guarantee` unless the condition holds.
macro_rules! ensure {
    ($guarantee:expr, $condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err($crate::conformance::Violation::new($guarantee, format_args!($($what)+)));
        }
    };
}
pub(super) use ensure;
