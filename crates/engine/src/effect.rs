use std::sync::Arc;

use bytes::Bytes;
use catga_core::{AttemptId, Condition, MessageId, NewEvent, StreamName, Timestamp, TraceContext};

/// A command's whole result, as one attempt decided it.
///
/// The engine decides from `id`, `key`, `payload_hash` and `conditions` whether it counts; the
/// rest it writes down or leaves to the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The command, the same for every attempt at it.
    pub id: MessageId,
    /// The attempt that decided this effect; it becomes the writer of the streams.
    pub attempt: AttemptId,
    /// The key from outside under which the command is also known.
    pub key: Option<OutsideKey>,
    /// The hash of the command's payload: the same id with another one is a mistake.
    pub payload_hash: u64,
    /// The wall time of the node where the command was called.
    pub at: Timestamp,
    /// Sequences of the id's session below this one are settled and may be forgotten.
    pub low_water: u64,
    /// Sequences below `low_water` which are not settled, because their callers heard *unknown*.
    ///
    /// It must name all of them from the mark which the sender knows to be applied up to
    /// `low_water`: a sequence that a mark has passed without it never comes back.
    pub kept: Vec<u64>,
    /// What the caller hears, and every retry after it.
    pub answer: RecordedAnswer,
    /// The events, in order.
    pub events: Vec<NewEvent>,
    /// The records, in order; the last write of a key wins.
    pub records: Vec<RecordWrite>,
    /// What must still hold for the effect to count.
    pub conditions: Vec<Condition>,
    /// What it asks of the engine itself.
    pub directive: Option<Directive>,
    /// Where it came from.
    pub trail: Trail,
}

impl Effect {
    /// An effect of the command `id`, decided by `attempt`, with nothing in it yet.
    pub fn new(id: MessageId, attempt: AttemptId) -> Self {
        Self { id, attempt, ..Self::default() }
    }
}

/// A key that a caller outside chose (`Idempotency-Key`): an alias of the message id that was
/// minted for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutsideKey {
    /// Whose key it is and for what: the principal and the command's name.
    pub scope: String,
    /// The key itself.
    pub key: String,
}

/// The answer in an effect, encoded; the engine never reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RecordedAnswer {
    /// Nobody waits for an answer.
    #[default]
    None,
    /// The reply.
    Reply(Bytes),
    /// A refusal: an error of the domain.
    Refusal(Bytes),
}

/// What an effect makes of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordWrite {
    /// The record's key.
    pub key: StreamName,
    /// Its new value; none deletes it.
    pub value: Option<Bytes>,
}

/// What an effect asks of the engine itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Opens a session for a node that started, and closes the node's former one.
    ///
    /// The effect's id is `nonce` in session zero, and the session is named by the effect's
    /// offset. A retry with the same node and nonce is a duplicate.
    OpenSession {
        /// The node's written name.
        node: String,
        /// What tells this start of the node from every other.
        nonce: u64,
    },
    /// Raises the version of the rules by which the engine decides.
    ///
    /// Its entry must carry at least that version itself, so that a node which does not know it
    /// stops instead of deciding otherwise than the rest.
    RaiseEngine {
        /// The version.
        to: u32,
    },
    /// Closes the session of a node that has left for good, and forgets that it ever started: what
    /// it remembers of ids takes memory on every node, and room in every checkpoint.
    ///
    /// Nothing happens if there is none. A node of the same name that starts later opens its own.
    CloseSession {
        /// The node's written name.
        node: String,
    },
}

impl Directive {
    /// The version of the rules that an entry must carry for this to be decided by.
    pub fn engine_version(&self) -> u32 {
        match self {
            Self::OpenSession { .. } => 0,
            Self::RaiseEngine { to } => *to,
            Self::CloseSession { .. } => 2,
        }
    }
}

/// Where an effect came from, for people and tools; the engine never reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// What the command belongs to, from the first caller on.
    pub correlation: Option<Arc<str>>,
    /// The message that caused it.
    pub causation: Option<MessageId>,
    /// Who called.
    pub principal: Option<Arc<str>>,
    /// On whose behalf.
    pub tenant: Option<Arc<str>>,
    /// The W3C trace context of the call.
    pub trace: Option<TraceContext>,
}
