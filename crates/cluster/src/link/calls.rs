use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use crate::{Address, CallError, NodeId, Peer, Topic};

use super::assembly::Whole;
use super::batch::Batch;
use super::frame::Kind;
use super::outbox::{Message, Outbox};
use super::pulse::Pulse;
use super::room::Place;

/// The requests to one peer that have no answer yet. Their [places](Place) bound them.
#[derive(Debug)]
pub(super) struct Calls {
    address: Address,
    /// The number of the next one: also its place in the order, and never used again.
    next: u64,
    outbox: Outbox<Place>,
    open: BTreeMap<u64, Open>,
    /// Where they are sent now.
    on: Option<(Peer, Arc<Pulse>)>,
    /// The peer that was there last.
    peer: Option<NodeId>,
    /// Why no more are taken.
    ended: Option<String>,
    /// None are begun, and whoever waits hears once all that were have ended.
    draining: Option<Arc<Notify>>,
}

#[derive(Debug)]
struct Open {
    topic: Topic,
    /// The only node that may have it.
    id: Option<NodeId>,
    /// Some of it may have been sent.
    begun: bool,
    answer: oneshot::Sender<Result<Bytes, CallError>>,
}

impl Open {
    fn end(self, result: Result<Bytes, CallError>) {
        // Whoever asked may have given up.
        let _ = self.answer.send(result);
    }
}

impl Calls {
    /// None yet, for the peer at `address`.
    pub(super) fn new(address: Address) -> Self {
        let (outbox, open) = (Outbox::new(), BTreeMap::new());
        let (on, peer, ended, draining) = (None, None, None, None);
        Self { address, next: 1, outbox, open, on, peer, ended, draining }
    }

    /// Takes a request, after all that were taken before.
    pub(super) fn take(
        &mut self,
        id: Option<NodeId>,
        topic: Topic,
        request: Vec<Bytes>,
        held: Place,
    ) -> Result<(u64, oneshot::Receiver<Result<Bytes, CallError>>), CallError> {
        if let Some(why) = &self.ended {
            return Err(CallError::NotSent(why.clone()));
        }
        let number = self.next;
        self.next += 1;
        let (answer, answered) = oneshot::channel();
        self.open.insert(number, Open { topic, id, begun: false, answer });
        let pieces = request.into();
        let message = Message { kind: Kind::Request, topic, doubt: false, number, pieces, held };
        self.outbox.push(number, message);
        if let Some((_, pulse)) = &self.on {
            pulse.wake.notify_one();
        }
        Ok((number, answered))
    }

    /// Gives one up. True if nothing of it was sent.
    pub(super) fn withdraw(&mut self, number: u64) -> bool {
        match self.open.remove(&number) {
            Some(Open { begun: false, topic, .. }) => {
                self.outbox.withdraw(topic, number);
                true
            }
            Some(_) => {
                self.tell_drained();
                false
            }
            None => false,
        }
    }

    /// Begins none from now on. What is given back hears once none is unanswered.
    pub(super) fn drain(&mut self) -> Arc<Notify> {
        self.outbox.pause(true);
        let drained = Arc::clone(self.draining.get_or_insert_default());
        self.tell_drained();
        drained
    }

    /// Begins those that wait.
    pub(super) fn go_on(&mut self) {
        self.outbox.pause(false);
        self.draining = None;
        if let Some((_, pulse)) = &self.on {
            pulse.wake.notify_one();
        }
    }

    fn tell_drained(&self) {
        if let Some(drained) = &self.draining
            && !self.open.values().any(|call| call.begun)
        {
            drained.notify_one();
        }
    }

    /// Moves what is sent next into `batch`.
    pub(super) fn fill(&mut self, batch: &mut Batch<Place>) {
        let Self { outbox, open, on, address, .. } = self;
        let Some((peer, _)) = on else { return };
        outbox.fill(batch, |number, _| {
            let Some(call) = open.get_mut(&number) else { return false };
            if call.id.is_none_or(|id| id == peer.id) {
                call.begun = true;
                return true;
            }
            if let Some(call) = open.remove(&number) {
                let wanted = call.id.unwrap_or_default();
                let (name, id) = (&peer.name, peer.id);
                let why = format!("at {address} is node {name} ({id}), not number {wanted}");
                call.end(Err(CallError::NotSent(why)));
            }
            false
        });
    }

    /// Gives an answer to whoever waits for it.
    pub(super) fn answer(&mut self, whole: Whole) -> Result<(), String> {
        let Whole { header, topic, payload } = whole;
        if header.number >= self.next {
            return Err(format!("an answer to number {}, which was not asked", header.number));
        }
        // Perhaps nobody does any more.
        let Some(call) = self.open.get(&header.number) else { return Ok(()) };
        if !call.begun || call.topic != topic {
            return Err(format!("an answer to number {}, which it has not got", header.number));
        }
        let Some(call) = self.open.remove(&header.number) else { return Ok(()) };
        let why = || String::from_utf8_lossy(&payload).into_owned();
        call.end(match (header.kind, header.doubt) {
            (Kind::Failure, true) => Err(CallError::Lost(why())),
            (Kind::Failure, false) => Err(CallError::NotSent(why())),
            _ => Ok(payload),
        });
        self.tell_drained();
        Ok(())
    }

    /// From now on they are sent to `peer`.
    pub(super) fn connect(&mut self, peer: Peer, pulse: Arc<Pulse>) {
        self.peer = Some(peer.id);
        self.on = Some((peer, pulse));
        self.go_on();
    }

    /// The connection is gone, and with it the answers to what was sent. The rest waits for the
    /// next one.
    pub(super) fn lose(&mut self, why: &str) {
        self.on = None;
        self.outbox.break_off();
        for (_, call) in self.open.extract_if(.., |_, call| call.begun) {
            call.end(Err(CallError::Lost(why.to_owned())));
        }
    }

    /// Those that wait are not sent, and if it is `for_good`, no more are taken.
    pub(super) fn end(&mut self, why: &str, for_good: bool) {
        self.lose(why);
        self.ended = for_good.then(|| why.to_owned());
        self.outbox = Outbox::new();
        for call in std::mem::take(&mut self.open).into_values() {
            call.end(Err(CallError::NotSent(why.to_owned())));
        }
    }

    /// The connection that they are sent on.
    pub(super) fn pulse(&self) -> Option<&Arc<Pulse>> {
        self.on.as_ref().map(|(_, pulse)| pulse)
    }

    /// True if they are sent to the node numbered `id` now.
    pub(super) fn is_on(&self, id: NodeId) -> bool {
        self.on.as_ref().is_some_and(|(peer, _)| peer.id == id)
    }

    /// The node that was met last at the address.
    pub(super) fn peer(&self) -> Option<NodeId> {
        self.peer
    }

    /// How many wait to be sent, and for an answer.
    pub(super) fn counts(&self) -> (usize, usize) {
        let waiting = self.outbox.waiting();
        (waiting, self.open.len() - waiting)
    }
}
