use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use catga_core::{
    Fault, MessageId, Offset, Position, ReadLevel, RecordedEvent, StreamName, StreamSlice,
};
use catga_engine::{
    Effect, FIRST_ENGINE_VERSION, Lookup, OutsideKey, RecordHead, RememberedKeys, Verdict,
};
use catga_host::BoxFuture;

use crate::{
    Backup, BackupError, Backups, Counted, Guarantees, Held, Leadership, Pending, Watermark,
};

/// What the runtime uses: effects in, verdicts and events out.
///
/// # Contract
/// 1. *Verdicts* are the engine's: one effect per message id counts, whatever is retried.
/// 2. *Durability.* A verdict is given once the effect survives what
///    [`guarantees`](Self::guarantees) says.
/// 3. *Own apply.* When a verdict is given, this node's [`applied`](Self::applied) mark is at or
///    above the offset that it names, and everything up to there can be read here.
/// 4. *Order.* Offsets are gap-free from 1; a stream's versions are gap-free from 1; what was read
///    once is read again, unchanged; a record is what was last written to it.
/// 5. *Doubt.* A commit that is not answered with a verdict says whether the effect may count.
/// 6. *Bounds.* `commit` waits a bounded time for room and then refuses.
pub trait Journal: fmt::Debug + Send + Sync + 'static {
    /// Which life of the journal this is; see [`Position::incarnation`].
    fn incarnation(&self) -> u64;

    /// Puts `effect` into the journal. Work starts at the call, not at the first poll.
    fn commit(&self, effect: Effect) -> Pending;

    /// What the journal knows of an id or a key, on this node, now.
    fn lookup(&self, id: MessageId, key: Option<&OutsideKey>, payload_hash: u64) -> Lookup;

    /// How many keys from outside this node remembers, and whether it would forget some if something
    /// were committed now.
    fn keys(&self) -> RememberedKeys;

    /// Waits until the effect of a command, which somebody may have put into the journal, has
    /// counted on this node. It may have counted already.
    fn counted(&self, id: MessageId, key: Option<&OutsideKey>, payload_hash: u64) -> Counted;

    /// The answer recorded at `offset`.
    ///
    /// # Errors
    /// When nothing is recorded there, or it cannot be read.
    fn outcome(&self, offset: Offset) -> BoxFuture<'_, Result<RecordedOutcome, Fault>>;

    /// The position that a read at `level` must have reached; for [`ReadLevel::Local`] what is
    /// applied here.
    ///
    /// # Errors
    /// When a linearizable head cannot be confirmed.
    fn head(&self, level: ReadLevel) -> BoxFuture<'_, Result<Position, Fault>>;

    /// How far this node has applied, as something to wait on.
    fn applied(&self) -> &Watermark;

    /// All events of one stream, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    fn stream<'a>(&'a self, stream: &'a StreamName) -> BoxFuture<'a, Result<StreamSlice, Fault>>;

    /// A record as it stands on this node, with the offset of its last write; none if it does not
    /// exist.
    ///
    /// # Errors
    /// When it cannot be read.
    fn record<'a>(
        &'a self,
        key: &'a StreamName,
    ) -> BoxFuture<'a, Result<Option<RecordHead>, Fault>>;

    /// At most about `limit` events after `after` that pass `filter`, as far as this node has
    /// applied. Effects are never split over pages.
    ///
    /// # Errors
    /// When they cannot be read.
    fn page<'a>(
        &'a self,
        after: Offset,
        filter: &'a Filter,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, Fault>>;

    /// What is wrong without keeping the journal from being read, if something is.
    fn degraded(&self) -> Option<String> {
        None
    }

    /// Why the journal has stopped by itself, and for good, if it has.
    fn failure(&self) -> Option<Fault> {
        None
    }

    /// Ready with the reason when the journal has stopped by itself, and for good: the process
    /// should end, and what starts it again sees what can be done.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    fn failed(&self) -> BoxFuture<'_, Fault> {
        Box::pin(std::future::pending())
    }

    /// What an acknowledged effect survives.
    fn guarantees(&self) -> Guarantees;

    /// Who leads, as far as this node knows.
    fn leadership(&self) -> Leadership;

    /// Rises by one with each change of [`leadership`](Self::leadership), as something to wait on.
    fn leadership_changes(&self) -> &Watermark;

    /// The term alone of [`leadership`](Self::leadership), asked for each effect.
    fn term(&self) -> u64 {
        self.leadership().term
    }

    /// The rolling hash over everything applied, and the offset that it stands for. Nodes with
    /// equal offsets must have equal hashes.
    fn rolling_hash(&self) -> (Offset, u64);

    /// By which rules it decides on this node, and by which it could.
    fn engine(&self) -> EngineVersions;

    /// The written names of the nodes whose message ids it remembers, as of what is applied here.
    fn nodes(&self) -> Vec<Arc<str>>;

    /// What the state on disk rests on; nothing for a journal in memory.
    fn foundation(&self) -> Foundation {
        Foundation::default()
    }

    /// How full its tables and queues are.
    fn held(&self) -> Vec<Held> {
        Vec::new()
    }

    /// Adds a backup of everything up to `from` at least, which is applied here, to those that are
    /// there; the journal goes on meanwhile. Work starts at the first poll. Whoever waits for it does
    /// not keep the journal from ending.
    ///
    /// # Errors
    /// When the journal keeps nothing on disk, or another backup is being made there; when the
    /// machine refuses, or what is here is damaged.
    ///
    /// # Cancel safety
    /// Once it has begun, the backup is made, whoever waits for it.
    fn backup(
        &self,
        into: Backups,
        from: Offset,
    ) -> BoxFuture<'static, Result<Backup, BackupError>> {
        let _ = (into, from);
        Box::pin(std::future::ready(Err(BackupError::NoDisk)))
    }

    /// Answers what is pending and lets go of the log.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// By which versions of the engine's rules a journal decides on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineVersions {
    /// The one in force, as of what is applied here.
    pub active: u32,
    /// The newest that this node goes along with.
    pub supported: u32,
}

impl EngineVersions {
    /// The version that every build knows.
    pub const FIRST: u32 = FIRST_ENGINE_VERSION;

    /// `active` in force, at a node that goes along with `supported`.
    pub const fn new(active: u32, supported: u32) -> Self {
        Self { active, supported }
    }
}

/// What the state of a journal on disk rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Foundation {
    /// The offset of the checkpoint that this life of the process began with; zero for none.
    pub started_at: Offset,
    /// The offset of the newest durable checkpoint: a restart applies what lies above it again.
    pub checkpoint: Offset,
    /// How often, in this life, the state of another node took the place of the own one.
    pub taken_over: u64,
    /// How many damaged parts of the history, in this life, were mended by another node.
    pub mended: u64,
}

/// A verdict with what it needs to be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// What the engine decided.
    pub verdict: Verdict,
    /// How far the journal was applied when it did.
    pub applied: Offset,
}

impl Committed {
    /// The engine's `verdict` at `applied`.
    pub const fn new(verdict: Verdict, applied: Offset) -> Self {
        Self { verdict, applied }
    }
}

/// The answer that an effect recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedOutcome {
    /// The id of the command that counted; a call by key may have come with another.
    pub message_id: MessageId,
    /// True if the command was refused; `payload` is then the domain's error.
    pub refused: bool,
    /// The reply or the refusal, in the command's format.
    pub payload: Bytes,
}

/// Which events a reader wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// Those with one of these written names.
    Names(&'static [&'static str]),
}

impl Filter {
    /// True if the reader wants events of this name.
    pub fn wants(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.contains(&name),
        }
    }
}

/// Some events in order, and how far they reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The events that passed the filter.
    pub events: Vec<RecordedEvent>,
    /// Everything up to here was looked at: go on after it.
    pub upto: Offset,
}
