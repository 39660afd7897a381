use std::fmt;

use crate::Invariant;

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
}

impl Violation {
    /// It shows after a loss of power at some moment.
    pub(crate) fn after(self, moment: impl fmt::Display) -> Self {
        Self { what: format!("after {moment}: {}", self.what), ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.number(), self.what)
    }
}

impl std::error::Error for Violation {}
