use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::Topic;

use super::accepted::Accepted;
use super::frame::Kind;
use super::lane::{Lane, bytes_max};
use super::outbox::Message;

/// How many requests of one peer that are not urgent are handled at once.
const HANDLED_MAX: usize = 1024;

/// How many urgent ones: a peer that behaves has a handful.
const URGENT_MAX: usize = 4096;

/// Counts what is being handled, from the hand-over to the last byte of the answer.
#[derive(Debug, Default)]
pub(super) struct Slots {
    handled: AtomicUsize,
    urgent: AtomicUsize,
    /// Something is handled no longer.
    pub(super) freed: Notify,
}

/// One request that is being handled.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    lane: Lane,
}

impl Slots {
    /// True if one more of `lane` may be handled. Only one task asks, so that it stays true.
    pub(super) fn is_free(&self, lane: Lane) -> bool {
        let max = if lane == Lane::Urgent { URGENT_MAX } else { HANDLED_MAX };
        self.count(lane).load(Ordering::Acquire) < max
    }

    pub(super) fn enter(self: &Arc<Self>, lane: Lane) -> Slot {
        self.count(lane).fetch_add(1, Ordering::AcqRel);
        Slot { slots: Arc::clone(self), lane }
    }

    fn count(&self, lane: Lane) -> &AtomicUsize {
        match lane {
            Lane::Urgent => &self.urgent,
            Lane::Main | Lane::Bulk => &self.handled,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.count(self.lane).fetch_sub(1, Ordering::AcqRel);
        self.slots.freed.notify_one();
    }
}

/// The duty to answer one request. Dropped without an answer, as when a handler panics, it says
/// that the request may have had an effect.
pub(super) struct Reply {
    to: Arc<Accepted>,
    topic: Topic,
    number: u64,
    /// None once it is answered.
    slot: Option<Slot>,
}

impl Reply {
    pub(super) fn new(to: Arc<Accepted>, topic: Topic, number: u64, slot: Slot) -> Self {
        Self { to, topic, number, slot: Some(slot) }
    }

    /// Sends the answer, or why there is none.
    pub(super) fn send(mut self, result: Result<Bytes, String>) {
        let max = bytes_max(self.topic, self.to.request_max());
        match result {
            Ok(answer) if answer.len() <= max => self.put(Kind::Answer, false, answer),
            Ok(answer) => {
                let bytes = answer.len();
                let why = format!("the answer has {bytes} bytes, and at most {max} are taken");
                self.put(Kind::Failure, true, why.into());
            }
            Err(mut why) => {
                why.truncate(why.floor_char_boundary(max));
                self.put(Kind::Failure, false, why.into());
            }
        }
    }

    fn put(&mut self, kind: Kind, doubt: bool, payload: Bytes) {
        if let Some(held) = self.slot.take() {
            let (topic, number, pieces) = (self.topic, self.number, vec![payload].into());
            self.to.answer(Message { kind, topic, doubt, number, pieces, held });
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.put(Kind::Failure, true, Bytes::from_static(b"its handler ended without an answer"));
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("number", &self.number).finish_non_exhaustive()
    }
}
