use std::fmt;

/// What an acknowledged effect survives. Status and metrics show it; nothing weaker is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Guarantees {
    /// The written name of the log, such as `memory` or `raft`.
    pub log: &'static str,
    /// What an acknowledged effect survives.
    pub survives: Survives,
}

impl Guarantees {
    /// What the log called `log` promises.
    pub const fn new(log: &'static str, survives: Survives) -> Self {
        Self { log, survives }
    }
}

/// What an acknowledged effect survives, from nothing to the loss of a minority of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Survives {
    /// Nothing: it is gone with the process.
    Nothing,
    /// The end of the process.
    ProcessEnd,
    /// The loss of power: it was on disk before it was acknowledged.
    PowerLoss,
    /// The loss of power everywhere, and of any minority of nodes for good.
    Failover,
}

impl fmt::Display for Survives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::ProcessEnd => "process-end",
            Self::PowerLoss => "power-loss",
            Self::Failover => "failover",
        })
    }
}
