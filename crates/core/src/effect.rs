use std::borrow::Cow;

use bytes::Bytes;

use crate::{MessageId, Offset, StreamName, Tag};

/// One attempt at a command: which execution of the handler decided an effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The command.
    pub message: MessageId,
    /// The leadership under which it was decided.
    pub term: u64,
    /// The attempt's number on the node that ran it.
    pub sequence: u64,
}

/// What must still hold when an effect is applied; else it does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// The stream was loaded at this version and has had no other event since.
    StreamAt {
        /// The stream.
        stream: StreamName,
        /// How many events it had.
        version: u64,
    },
    /// The stream does not exist yet.
    StreamAbsent {
        /// The stream.
        stream: StreamName,
    },
    /// The record was last written at this offset, or does not exist.
    RecordAt {
        /// The record's key.
        key: StreamName,
        /// The offset of its last write; none if it does not exist.
        offset: Option<Offset>,
    },
    /// No event with the tag has come after this offset.
    TagQuiet {
        /// The tag.
        tag: Tag,
        /// The offset of the view that the handler decided from.
        after: Offset,
    },
    /// The stream's last writer is this attempt, which was not applied yet when this effect was
    /// decided on it.
    WrittenBy {
        /// The stream.
        stream: StreamName,
        /// The attempt that must have written its last event.
        attempt: AttemptId,
    },
}

/// An event on its way into the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The stream that it is appended to.
    pub stream: StreamName,
    /// The written name of its type.
    pub name: Cow<'static, str>,
    /// The version of its payload's shape.
    pub schema: u32,
    /// The tags by which conditions find it.
    pub tags: Vec<Tag>,
    /// Its payload in its message's format.
    pub payload: Bytes,
}
