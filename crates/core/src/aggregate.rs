use std::fmt;

use crate::{DecodeError, Event, EventMeta, RecordedEvent, Stream};

/// The state of one stream, folded from its events.
///
/// `#[aggregate(name = "order")]` on an impl block writes this: each method that takes an event is
/// one step of the fold. A method without `self` makes the state from the stream's first event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    note = "put `#[aggregate(name = \"…\")]` on the impl block with its event methods"
)]
pub trait Aggregate: Stream + Clone + Send + Sync + 'static {
    /// The state after `event`.
    ///
    /// # Errors
    /// When the event's type is unknown here, its payload unreadable, or it cannot come first.
    fn fold(state: Option<Self>, event: &RecordedEvent) -> Result<Self, FoldError>;
}

/// One step of an [`Aggregate`]'s fold.
#[diagnostic::on_unimplemented(
    message = "the aggregate `{Self}` does not fold `{E}`",
    label = "no method of its `#[aggregate]` block takes `&{E}`",
    note = "add a method such as `fn happened(&mut self, event: &{E})` to the block"
)]
pub trait Folds<E: Event>: Sized {
    /// The state after `event`.
    ///
    /// # Errors
    /// When the event cannot come first in a stream, and does.
    fn fold_event(state: Option<Self>, event: &E, meta: &EventMeta) -> Result<Self, FoldError>;
}

/// A stored event could not be folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldError {
    event: String,
    place: String,
    reason: String,
}

impl FoldError {
    /// The aggregate knows no event of this name.
    pub fn unknown(event: &RecordedEvent) -> Self {
        Self::at(event, "nothing here folds events of this name")
    }

    /// The payload cannot be read.
    pub fn unreadable(event: &RecordedEvent, error: DecodeError) -> Self {
        Self::at(event, error)
    }

    /// The event cannot be the first of its stream.
    pub fn not_first(name: &str, meta: &EventMeta) -> Self {
        Self {
            event: name.to_owned(),
            place: place(meta),
            reason: "it cannot be the first event of its stream".to_owned(),
        }
    }

    /// The event can only be the first of its stream, and the stream has one already.
    pub fn not_again(name: &str, meta: &EventMeta) -> Self {
        Self {
            event: name.to_owned(),
            place: place(meta),
            reason: "only the first event of its stream can be one of these".to_owned(),
        }
    }

    fn at(event: &RecordedEvent, reason: impl fmt::Display) -> Self {
        Self {
            event: event.name.to_string(),
            place: place(&event.meta),
            reason: reason.to_string(),
        }
    }
}

fn place(meta: &EventMeta) -> String {
    format!("version {} of stream {}, position {}", meta.version, meta.stream, meta.position)
}

impl fmt::Display for FoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot fold event `{}` ({}): {}", self.event, self.place, self.reason)
    }
}

impl std::error::Error for FoldError {}
