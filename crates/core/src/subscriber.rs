use std::fmt;

use crate::{Event, EventMeta};

/// Something that acts on events of one type after they were recorded, or were published.
///
/// Recorded events come in order, at least once; what goes out to the world takes
/// [`Delivery::idempotency_key`]. Ephemeral events come in place, once, while the publisher waits.
/// `#[subscriber(name = "…", each = "node", from = "now")]` on a method of a service writes this.
pub trait Subscriber: Send + Sync + 'static {
    /// The events that it gets.
    type Event: Event;
    /// The stored, written name, such as `confirm-by-mail`.
    const NAME: &'static str;
    /// Who gets an event: each node, or one of them.
    const EACH: Each = Each::Node;
    /// Where a subscriber that was never seen before begins.
    const FROM: StartFrom = StartFrom::Now;

    /// Handles one event. An error means: deliver it again, later.
    fn deliver<'a>(
        &'a self,
        event: &'a Self::Event,
        delivery: &'a Delivery,
    ) -> impl Future<Output = Result<(), SubscriberError>> + Send + 'a;
}

/// Who gets an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Each {
    /// Every node, with a cursor of its own.
    Node,
}

/// Where a subscriber begins that was never seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StartFrom {
    /// With the first event after it was first started.
    Now,
    /// With the first event of the journal.
    Start,
}

/// One delivery of one event to one subscriber.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delivery {
    /// The subscriber's name.
    pub subscriber: &'static str,
    /// Where the event was recorded; none for an ephemeral one.
    pub meta: Option<EventMeta>,
    /// Which try this is, from 1.
    pub attempt: u32,
}

impl Delivery {
    /// A delivery as a test would make one.
    pub fn new(subscriber: &'static str, meta: Option<EventMeta>, attempt: u32) -> Self {
        Self { subscriber, meta, attempt }
    }

    /// A key that is the same for every try of this delivery and for no other.
    ///
    /// Give it to whatever is called outside, so that a repeated delivery does nothing twice.
    pub fn idempotency_key(&self) -> String {
        match &self.meta {
            Some(meta) => format!("{}:{}:{}", self.subscriber, meta.position, meta.index),
            None => self.subscriber.to_owned(),
        }
    }
}

/// A subscriber could not handle an event now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriberError(String);

impl SubscriberError {
    /// What the subscriber said.
    #[cold]
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }

    /// What the subscriber said.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubscriberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SubscriberError {}
