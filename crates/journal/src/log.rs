use std::fmt;
use std::future::{pending, ready};
use std::sync::Arc;

use bytes::Bytes;
use catga_core::{Fault, NodeName};
use catga_host::BoxFuture;

use crate::{Mending, Pieces};

/// A durable total order of entries. An entry is opaque bytes.
///
/// A log is opened with an [`Applier`], to which it delivers on every node, and then takes entries
/// from anybody who holds it.
///
/// # Contract
/// 1. *Order.* Every node's applier gets the same entries in the same order, each once per life of
///    the applier's state, and [`LogIndex`]es only rise.
/// 2. *No invention.* An entry that is delivered was appended by somebody, unchanged.
/// 3. *Durability.* Once `append` has returned `Ok`, the entry survives what
///    [`guarantees`](Self::guarantees) says, and was or will be delivered on every node.
/// 4. *Refusal is proof.* After [`AppendError::Refused`] the entry is never delivered.
/// 5. *Doubt is told.* After [`AppendError::InDoubt`] the entry may be delivered once, later, or
///    never. A log that loses its leadership answers all pending appends within bounded time.
/// 6. *Delivery precedes the answer.* Where the answering node has an applier, it has applied the
///    entry when `append` returns `Ok`.
/// 7. *Read index.* What [`read_index`](Self::read_index) returns is at or above the index of
///    every entry acknowledged anywhere before the call; it comes only while leadership is
///    confirmed. Where the answering node has an applier, it has applied every entry up to it:
///    only the log knows which of its own records, never delivered, lie below.
/// 8. *Snapshots.* An applier that installed a snapshot gets exactly the entries above it.
/// 9. *Trimming* drops entries only at or below what it was given, and only what every restart of
///    this node can do without.
pub trait Log: Send + Sync + 'static {
    /// Puts `entry` at the end of the order.
    ///
    /// # Errors
    /// See [`AppendError`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the outcome in doubt, as 5 says.
    fn append(&self, entry: Bytes) -> impl Future<Output = Result<LogIndex, AppendError>> + Send;

    /// An index that covers everything acknowledged before the call.
    ///
    /// # Errors
    /// A fault when leadership cannot be confirmed.
    fn read_index(&self) -> impl Future<Output = Result<LogIndex, Fault>> + Send;

    /// Who leads, as far as this node knows.
    fn leadership(&self) -> Leadership;

    /// Ready once [`leadership`](Self::leadership) is no longer `known`; never where it does not
    /// change.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    fn leadership_changed(&self, known: &Leadership) -> impl Future<Output = ()> + Send {
        let _ = known;
        pending()
    }

    /// The term alone of [`leadership`](Self::leadership), asked for each effect.
    fn term(&self) -> u64 {
        self.leadership().term
    }

    /// Has the applier's state made durable as it is now, so that a restart starts from there and
    /// not from the log's first entry. Nothing to do where a restart has no log either.
    ///
    /// # Errors
    /// When that failed.
    fn snapshot(&self) -> impl Future<Output = Result<(), Fault>> + Send {
        ready(Ok(()))
    }

    /// Allows entries at or below `upto` to be dropped: a durable snapshot covers them.
    fn trim(&self, upto: LogIndex) -> impl Future<Output = ()> + Send;

    /// What is wrong without keeping the log from being read, if something is.
    fn degraded(&self) -> Option<String> {
        None
    }

    /// Ready with the reason when the log has stopped by itself, and for good.
    fn failed(&self) -> impl Future<Output = Fault> + Send {
        pending()
    }

    /// How full its tables and queues are.
    fn held(&self) -> Vec<crate::Held> {
        Vec::new()
    }

    /// What an acknowledged entry survives.
    fn guarantees(&self) -> crate::Guarantees;

    /// Stops taking entries, answers what is pending, and lets go of files and tasks.
    fn shutdown(&self) -> impl Future<Output = ()> + Send;
}

/// Where a log delivers to: the state that follows from its entries.
///
/// # Contract
/// 1. Calls come one at a time. None may block on anything but the applier's own storage.
/// 2. `apply` is deterministic: the same entries give the same state.
/// 3. `install(snapshot())` on another node gives an equal state; where snapshots have
///    [`pieces`](Self::pieces), once these are there.
/// 4. `applied` names the last entry in the state, also after a restart.
/// 5. A state that survives a restart is durable when `install` returns: the log below it is
///    dropped then. Until it is, the former one is.
pub trait Applier: Send + 'static {
    /// The last entry that the state holds, or none.
    fn applied(&self) -> Option<LogIndex>;

    /// Takes the next entries, in order.
    ///
    /// # Errors
    /// Only when the node must stop: the entry cannot be understood, or its storage failed.
    fn apply(&mut self, entries: &[Delivered]) -> Result<(), Fault>;

    /// The whole state as of now, in a form that another node can install. It is set aside at
    /// once; what takes long is done when the snapshot is [built](PendingSnapshot::build), while
    /// entries go on being applied.
    ///
    /// # Errors
    /// When storage failed.
    fn snapshot(&mut self) -> Result<PendingSnapshot, Fault>;

    /// Takes the place of the whole state.
    ///
    /// # Errors
    /// When the snapshot is damaged or storage failed; the state is then as before, after a restart
    /// at the latest.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the state as before or as the snapshot has it, which a restart
    /// tells.
    fn install(&mut self, snapshot: LogSnapshot) -> BoxFuture<'_, Result<(), Fault>>;

    /// How the pieces of its snapshots are shipped, if these do not hold the state but name its
    /// pieces.
    fn pieces(&self) -> Option<Arc<dyn Pieces>> {
        None
    }

    /// How what is damaged of its history is mended, where other nodes have it too.
    fn mending(&self) -> Option<Arc<dyn Mending>> {
        None
    }
}

/// The place of an entry in a log: under which leadership, and its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogIndex {
    /// The leadership that appended it.
    pub term: u64,
    /// Its number; there may be gaps, where the log keeps records of its own.
    pub index: u64,
}

/// An entry on its way to the applier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its place.
    pub index: LogIndex,
    /// The bytes as they were appended.
    pub entry: Bytes,
}

/// A state that stands for all entries up to an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSnapshot {
    /// The last entry that it holds; none for the state before the first.
    pub upto: Option<LogIndex>,
    /// The state as its applier wrote it, or the names of its [pieces](Pieces).
    pub data: Bytes,
}

/// A state that was set aside and is being written down.
pub struct PendingSnapshot {
    upto: Option<LogIndex>,
    data: BoxFuture<'static, Result<Bytes, Fault>>,
}

impl PendingSnapshot {
    /// The state up to `upto`, which `data` writes down. Once that has ended well, what the
    /// applier's own restart needs of it is durable.
    pub fn new(
        upto: Option<LogIndex>,
        data: impl Future<Output = Result<Bytes, Fault>> + Send + 'static,
    ) -> Self {
        Self { upto, data: Box::pin(data) }
    }

    /// The last entry that it holds.
    pub fn upto(&self) -> Option<LogIndex> {
        self.upto
    }

    /// Waits until it is written down.
    ///
    /// # Errors
    /// When storage failed.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether it was written down.
    pub async fn build(self) -> Result<LogSnapshot, Fault> {
        Ok(LogSnapshot { upto: self.upto, data: self.data.await? })
    }
}

impl From<LogSnapshot> for PendingSnapshot {
    fn from(snapshot: LogSnapshot) -> Self {
        Self::new(snapshot.upto, ready(Ok(snapshot.data)))
    }
}

impl fmt::Debug for PendingSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSnapshot").field("upto", &self.upto).finish_non_exhaustive()
    }
}

/// Why an entry was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendError {
    /// Proved: it is not in the log and never will be.
    Refused(Refusal),
    /// It may be in the log; what happened.
    InDoubt(String),
}

/// Why a log refused an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Another node leads, as far as this one knows.
    NotLeader {
        /// The term in which this node learned it.
        term: u64,
        /// Who leads, if that is known.
        leader: Option<NodeName>,
    },
    /// The log is stopping or has stopped.
    Stopped,
    /// The entry is larger than the log takes.
    TooLarge {
        /// The most bytes that it takes.
        limit: usize,
    },
    /// As many entries are waiting as may.
    Overloaded,
    /// The disk has no room for it.
    Full,
    /// The disks of so many other nodes have no room for it that it could not become durable.
    PeersFull,
}

/// Who leads, as far as one node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// The latest term that the node knows; it only rises.
    pub term: u64,
    /// What the node itself is.
    pub role: Role,
    /// Who leads in that term, if that is known.
    pub leader: Option<NodeName>,
}

/// What a node is in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// It appends entries, and has applied all that was acknowledged before it led.
    Leader,
    /// It follows a leader.
    Follower,
    /// It follows, without a vote.
    Learner,
    /// It asks for votes, or was elected and has not yet applied an entry of its own term.
    Candidate,
}
