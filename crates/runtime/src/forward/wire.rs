//! The messages between nodes, by field number: what a reader does not know it skips, and what must
//! not be skipped raises the version.

use bytes::Bytes;
use prost::{Message, Oneof};

/// What a reader must know at least to act on what this build sends.
pub(super) const VERSION: u32 = 1;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    /// How long the caller still waits.
    #[prost(uint64, tag = "2")]
    pub(super) remaining_us: u64,
    #[prost(oneof = "Body", tags = "3, 4, 5")]
    pub(super) body: Option<Body>,
}

#[derive(Clone, PartialEq, Oneof)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every request is a command, and one lives no longer than it takes to read it"
)]
pub(super) enum Body {
    #[prost(message, tag = "3")]
    Command(Command),
    /// An entry with one effect, which needs no handler.
    #[prost(bytes = "bytes", tag = "4")]
    Effect(Bytes),
    /// Several requests that do not depend on each other, none of them such a batch.
    #[prost(message, tag = "5")]
    Batch(Batch),
}

/// Requests, or the answers to them in the same order, each by itself.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Batch {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) parts: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Command {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) payload: Bytes,
    #[prost(message, optional, tag = "3")]
    pub(super) id: Option<Id>,
    /// The wall time of the origin, in milliseconds.
    #[prost(uint64, tag = "4")]
    pub(super) at_ms: u64,
    #[prost(uint64, tag = "5")]
    pub(super) low_water: u64,
    #[prost(uint64, repeated, tag = "6")]
    pub(super) kept: Vec<u64>,
    #[prost(string, optional, tag = "7")]
    pub(super) key: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub(super) correlation: Option<String>,
    #[prost(message, optional, tag = "9")]
    pub(super) causation: Option<Id>,
    #[prost(string, optional, tag = "10")]
    pub(super) principal: Option<String>,
    #[prost(string, optional, tag = "11")]
    pub(super) tenant: Option<String>,
    #[prost(message, optional, tag = "12")]
    pub(super) trace: Option<Trace>,
    #[prost(message, optional, tag = "13")]
    pub(super) after: Option<Position>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Id {
    #[prost(uint64, tag = "1")]
    pub(super) session: u64,
    #[prost(uint64, tag = "2")]
    pub(super) sequence: u64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Trace {
    #[prost(fixed64, tag = "1")]
    pub(super) trace_high: u64,
    #[prost(fixed64, tag = "2")]
    pub(super) trace_low: u64,
    #[prost(fixed64, tag = "3")]
    pub(super) span: u64,
    #[prost(uint32, tag = "4")]
    pub(super) flags: u32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Position {
    #[prost(fixed64, tag = "1")]
    pub(super) incarnation: u64,
    #[prost(uint32, tag = "2")]
    pub(super) partition: u32,
    #[prost(uint64, tag = "3")]
    pub(super) offset: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Answer {
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    #[prost(oneof = "Said", tags = "2, 3, 4, 5, 6")]
    pub(super) said: Option<Said>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Said {
    #[prost(message, tag = "2")]
    Answered(Answered),
    #[prost(message, tag = "3")]
    Failed(Failed),
    #[prost(message, tag = "4")]
    NotLeader(NotLeader),
    #[prost(message, tag = "5")]
    Batch(Batch),
    /// The command still runs. Asked alone and with the same id, the node answers when it has ended.
    #[prost(message, tag = "6")]
    Runs(Runs),
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Runs {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Answered {
    #[prost(bool, tag = "1")]
    pub(super) refused: bool,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) payload: Bytes,
    /// The id of what counted.
    #[prost(message, optional, tag = "3")]
    pub(super) id: Option<Id>,
    /// Where it stands; none for an answer of a kind that is not recorded.
    #[prost(uint64, optional, tag = "4")]
    pub(super) offset: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Failed {
    #[prost(string, tag = "1")]
    pub(super) code: String,
    /// The outcome is unknown.
    #[prost(bool, tag = "2")]
    pub(super) unknown: bool,
    #[prost(string, tag = "3")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "4")]
    pub(super) fields: Vec<Field>,
    /// The origin may go on with the same id at another leader.
    #[prost(bool, tag = "5")]
    pub(super) again: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Field {
    #[prost(string, tag = "1")]
    pub(super) field: String,
    #[prost(string, tag = "2")]
    pub(super) what: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NotLeader {
    #[prost(uint64, tag = "1")]
    pub(super) term: u64,
    /// Who leads in that term, if that is known.
    #[prost(string, optional, tag = "2")]
    pub(super) leader: Option<String>,
}
