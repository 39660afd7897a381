use std::collections::BTreeMap;

use crate::Topic;

use super::batch::Batch;
use super::frame::{Header, Kind, PAYLOAD_MAX};
use super::lane::{LANES, Lane};
use super::pieces::Pieces;

/// What waits to be sent. Whoever adds to it bounds it.
#[derive(Debug)]
pub(super) struct Outbox<H> {
    lanes: [Queue<H>; LANES],
    /// Nothing begins.
    paused: bool,
}

#[derive(Debug)]
struct Queue<H> {
    /// Of which some fragments are sent.
    under_way: Option<Message<H>>,
    /// By its place in the order.
    waiting: BTreeMap<u64, Message<H>>,
}

/// A message that is to be sent.
#[derive(Debug)]
pub(super) struct Message<H> {
    pub(super) kind: Kind,
    pub(super) topic: Topic,
    pub(super) doubt: bool,
    pub(super) number: u64,
    pub(super) pieces: Pieces,
    /// Kept until it is sent.
    pub(super) held: H,
}

impl<H> Outbox<H> {
    pub(super) fn new() -> Self {
        let empty = || Queue { under_way: None, waiting: BTreeMap::new() };
        Self { lanes: [empty(), empty(), empty()], paused: false }
    }

    /// Whether messages wait that have not begun.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Adds a message, which is sent after all of its lane with a lower `place`.
    pub(super) fn push(&mut self, place: u64, message: Message<H>) {
        self.lanes[Lane::of(message.topic).index()].waiting.insert(place, message);
    }

    /// Takes a message back, if it has not begun.
    pub(super) fn withdraw(&mut self, topic: Topic, place: u64) -> Option<Message<H>> {
        self.lanes[Lane::of(topic).index()].waiting.remove(&place)
    }

    /// How many messages have not begun.
    pub(super) fn waiting(&self) -> usize {
        self.lanes.iter().map(|queue| queue.waiting.len()).sum()
    }

    /// Forgets the messages that have begun.
    pub(super) fn break_off(&mut self) {
        self.lanes.iter_mut().for_each(|queue| queue.under_way = None);
    }

    /// Moves the next fragments into `batch`: those of one lane after those of a more urgent one.
    /// `begin` is asked about each message before its first one, and may say that it is not sent.
    pub(super) fn fill(
        &mut self,
        batch: &mut Batch<H>,
        mut begin: impl FnMut(u64, &Message<H>) -> bool,
    ) {
        for (lane, queue) in self.lanes.iter_mut().enumerate() {
            while !batch.is_full() {
                let message = match queue.under_way.take() {
                    Some(message) => message,
                    None if self.paused => break,
                    None => match queue.waiting.pop_first() {
                        None => break,
                        Some((place, message)) if begin(place, &message) => message,
                        Some(_) => continue,
                    },
                };
                queue.under_way = message.next_fragment(batch);
                if lane == Lane::Bulk.index() {
                    // What becomes urgent meanwhile waits for one fragment, not for four.
                    return;
                }
            }
        }
    }
}

impl<H> Message<H> {
    /// Moves its next fragment into `batch`, and gives back what is left.
    fn next_fragment(mut self, batch: &mut Batch<H>) -> Option<Self> {
        let mut payload = Vec::new();
        self.pieces.take(PAYLOAD_MAX, &mut payload);
        let last = self.pieces.bytes() == 0;
        let Self { kind, doubt, number, .. } = self;
        let header = Header { kind, topic: Some(self.topic), last, doubt, number };
        batch.push(&header, payload);
        if last {
            batch.hold(self.held);
            return None;
        }
        Some(self)
    }
}
