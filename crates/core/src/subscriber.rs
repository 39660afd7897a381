use std::fmt;

use crate::{Event, EventMeta, Scope};

/// Something that acts on events of one type after they were recorded, or were published.
///
/// Recorded events come in order, at least once; what goes out to the world takes
/// [`Delivery::idempotency_key`]. Ephemeral events come in place, once, while the publisher waits.
/// `#[subscriber(name = "…", each = "node", from = "now")]` on a method of a service writes this.
///
/// # One owner in the cluster
///
/// A subscriber with [`Each::Cluster`] has one owner at a time, the node that leads, and its place
/// stands in the journal. It may record: what a delivery leaves in its [`Tx`](crate::Tx) counts
/// once, in one effect with the move of the cursor. That effect has an id of the session of whichever
/// node owns the subscriber then: one derived from the event would belong to no session, and would
/// not count. What makes it count once is its condition that nobody has moved the cursor since it
/// was read. So a node that was deposed while it delivered leaves no trace.
///
/// Deliveries that record nothing move the cursor a batch at a time: after a failover at most the
/// last batch comes again.
///
/// What the journal keeps of it stands in records and streams of the category `catga.subscriber`,
/// which no stream of a program may have.
///
/// An event that fails too often becomes a dead letter, in one effect with the move of the cursor
/// past it; [`ON_FAILURE`](Self::ON_FAILURE) says what becomes of those behind it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a subscriber",
    note = "put `#[subscriber(name = \"…\", …)]` on a method of a `#[service]` block, or implement \
            `Subscriber`"
)]
pub trait Subscriber: Send + Sync + 'static {
    /// The events that it gets.
    type Event: Event;
    /// [`Durable`](crate::Durable) if it records in a [`Tx`](crate::Tx), which takes
    /// [`Each::Cluster`]; [`Plain`](crate::Plain) if it does not.
    type Scope: Scope;
    /// The stored, written name, such as `confirm-by-mail`.
    const NAME: &'static str;
    /// Who gets an event: each node, or one of them.
    const EACH: Each = Each::Node;
    /// Where a subscriber that was never seen before begins.
    const FROM: StartFrom = StartFrom::Now;
    /// What becomes of the events behind one that failed too often, with [`Each::Cluster`]; with
    /// [`Each::Node`] the subscriber pauses.
    const ON_FAILURE: OnFailure = OnFailure::Park;

    /// Handles one event. An error means: deliver it again, later.
    fn deliver<'a>(
        &'a self,
        event: &'a Self::Event,
        delivery: &'a Delivery,
        scope: <Self::Scope as Scope>::Argument<'a>,
    ) -> impl Future<Output = Result<(), SubscriberError>> + Send + 'a;
}

/// Who gets an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Each {
    /// Every node, with a cursor of its own.
    Node,
    /// One node at a time in the whole cluster, with a cursor in the journal.
    Cluster,
}

/// Where a subscriber begins that was never seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StartFrom {
    /// With the first event after it was first started.
    Now,
    /// With the first event of the journal.
    Start,
}

/// What becomes of the events behind a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// Those of its stream wait behind it, in order, until it is retried with success or
    /// discarded; those of other streams pass.
    Park,
    /// All pass: the order within its stream is lost.
    Pass,
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
