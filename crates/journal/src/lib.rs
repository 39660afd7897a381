//! The journal: one totally ordered, durable sequence of effects, the same on every node.
//!
//! [`Log`] orders opaque entries; [`Replica`] makes a [`Journal`] of any log: the engine decides
//! which effects count, and their events become streams. [`MemoryLog`] is a log in memory.
//! The module `conformance`, behind the feature of that name, holds the suites that show that a
//! log or a journal keeps its promises.
//!
//! This crate knows nothing of brokers, databases or consensus.

mod counted;
mod guarantees;
mod held;
mod watermark;

mod journal;
mod log;
mod pending;
mod pieces;

mod memory_log;

mod amount;
mod archive;
mod heads;
mod history;
mod index;
pub mod observed;
pub mod planted;
mod record;
mod replica;
mod rolled;
pub mod segment;
mod stored;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(test)]
mod tests;

pub use counted::Counted;
pub use guarantees::{Guarantees, Survives};
pub use held::Held;
pub use journal::{Committed, EngineVersions, Filter, Foundation, Journal, Page, RecordedOutcome};
pub use log::{
    AppendError, Applier, Delivered, Leadership, Log, LogIndex, LogSnapshot, PendingSnapshot,
    Refusal, Role,
};
pub use memory_log::{LogLimits, MemoryLog};
pub use pending::Pending;
pub use pieces::{HistoryPart, HistorySegment, Incoming, Mending, Outgoing, PiecePlace, Pieces};
pub use replica::{CheckpointPace, DiskOptions, Replica, ReplicaApplier, ReplicaOptions};
pub use stored::{
    Backup, BackupError, Backups, DumpedEffect, FileReport, ParseWhichError, Which, WholeBackup,
    dump_history, verify_history,
};
pub use watermark::{Reached, Watermark};
