use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Context, DecodeError, Event, FoldError, Format, Message, MessageId, Position, StreamName, Tag,
    Timestamp,
};

/// Where and when an event was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventMeta {
    /// The position of the effect that holds it.
    pub position: Position,
    /// Its number within that effect, from 0.
    pub index: u32,
    /// Its stream.
    pub stream: StreamName,
    /// Its number in the stream, from 1.
    pub version: u64,
    /// The wall time of the node where the command was called.
    pub at: Timestamp,
    /// The command that it came from.
    pub message_id: MessageId,
    /// What the command belongs to: the id given by the first caller, if any.
    pub correlation: Option<Arc<str>>,
}

impl EventMeta {
    /// Meta data as the journal writes it; tests use it to build events by hand.
    pub fn new(position: Position, stream: StreamName, version: u64, at: Timestamp) -> Self {
        Self {
            position,
            index: 0,
            stream,
            version,
            at,
            message_id: MessageId::default(),
            correlation: None,
        }
    }

    /// What carries on from this event: it is the cause, and belongs to what the event belongs to.
    pub fn context(&self) -> Context {
        Context {
            causation: Some(self.message_id),
            correlation: self.correlation.clone(),
            ..Context::default()
        }
    }
}

/// An event as the journal gives it back, its payload not decoded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The written name of its type.
    pub name: Arc<str>,
    /// The version of its payload's shape.
    pub schema: u32,
    /// Its payload in its message's format.
    pub payload: Bytes,
    /// Its tags.
    pub tags: Arc<[Tag]>,
    /// Where and when it was recorded.
    pub meta: EventMeta,
}

impl RecordedEvent {
    /// True if it is an event of type `E`.
    pub fn is<E: Event>(&self) -> bool {
        *self.name == *E::NAME
    }

    /// The event itself.
    ///
    /// # Errors
    /// When the payload cannot be read, or was written by a newer build than this one.
    pub fn decode<E: Event>(&self) -> Result<E, FoldError> {
        if self.schema > E::VERSION {
            let reason = DecodeError::new(format_args!(
                "it has version {}, and this build knows versions up to {}",
                self.schema,
                E::VERSION
            ));
            return Err(FoldError::unreadable(self, reason));
        }
        <<E as Message>::Format as Format>::decode(&self.payload)
            .map_err(|error| FoldError::unreadable(self, error))
    }
}
