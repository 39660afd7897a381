use catga_core::{NodeName, Position, Timestamp};

/// One backup, as its manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// Which of those in its directory: later ones have greater numbers, and none is used twice.
    pub number: u64,
    /// How far it goes: everything up to there is in it, and nothing behind it.
    pub position: Position,
    /// When it was begun, by the clock of the node.
    pub at: Timestamp,
    /// The id of the cluster; empty for a process of its own.
    pub cluster: String,
    /// The node that made it.
    pub node: NodeName,
    /// How many pieces it consists of.
    pub pieces: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many of them no earlier backup had, so that they were copied.
    pub new_pieces: u64,
    /// How many bytes were copied.
    pub new_bytes: u64,
}
