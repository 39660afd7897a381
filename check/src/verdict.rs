use std::fmt;

use serde::{Deserialize, Serialize};

/// What a checker has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The promise was kept.
    Pass,
    /// It was not, and by this one sees it.
    Violated(Vec<Finding>),
    /// Nobody knows. That is no pass: a gate fails by it.
    Undecided(String),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind of it.
    pub wrong: Wrong,
    /// In words.
    pub what: String,
    /// The operations by which one sees it, by their numbers.
    pub operations: Vec<u64>,
}

/// A kind of broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrong {
    /// What was acknowledged is not there (I1).
    Lost,
    /// A command had two effects (I2).
    Doubled,
    /// What was not sent, or was said not to have run, is there (I2).
    Uncalled,
    /// One command was answered in two ways (I2).
    TwoAnswers,
    /// An answer is not what its request asked for (I5).
    WrongReply,
    /// No order of the operations explains the answers (I4).
    NotLinearizable,
    /// A read shows less than it must (I4).
    Stale,
    /// Positions and times contradict each other (I3).
    OutOfOrder,
    /// A reply is not what the operations before it make of it (I4).
    WrongState,
    /// Two nodes tell two stories (I3).
    Differs,
}

impl Verdict {
    /// Nothing found is a pass.
    pub(crate) fn of(findings: Vec<Finding>) -> Self {
        if findings.is_empty() { Self::Pass } else { Self::Violated(findings) }
    }

    /// True if the promise was kept.
    pub fn is_pass(&self) -> bool {
        *self == Self::Pass
    }

    /// What is wrong.
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Violated(findings) => findings,
            Self::Pass | Self::Undecided(_) => &[],
        }
    }
}

impl Finding {
    pub(crate) fn new(
        wrong: Wrong,
        what: impl Into<String>,
        operations: impl IntoIterator<Item = u64>,
    ) -> Self {
        Self { wrong, what: what.into(), operations: operations.into_iter().collect() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.wrong, self.what)?;
        if !self.operations.is_empty() {
            write!(f, " (operations {:?})", self.operations)?;
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Violated(findings) => write!(f, "VIOLATED, {} times", findings.len()),
            Self::Undecided(why) => write!(f, "UNDECIDED: {why}"),
        }
    }
}
