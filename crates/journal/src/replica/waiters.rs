use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use catga_core::{Fault, Offset};
use catga_engine::{Effect, Entry, Verdict};
use tokio::sync::oneshot;

use super::faults;
use crate::Committed;

/// How many bytes of entries in doubt are kept at most, however few they are.
const DOUBTFUL_BYTES_MAX: usize = 64 << 20;

/// Whoever waits for the verdict on one effect.
pub(super) type Answer = oneshot::Sender<Result<Committed, Fault>>;

/// An entry of this replica on its way through the log.
#[derive(Debug)]
pub(super) struct Sent {
    /// As it was appended; an entry that is delivered is known again by its bytes alone.
    pub(super) bytes: Bytes,
    /// The same decoded, so that this node need not decode what it has encoded.
    pub(super) entry: Entry,
    /// In the order of the entry's effects.
    pub(super) answers: Vec<Answer>,
}

/// Tells the entries of this replica apart while they are on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

#[derive(Debug)]
struct Batch {
    ticket: Ticket,
    /// Its append came back in doubt.
    doubtful: bool,
    sent: Sent,
}

/// The entries on their way and who waits for them, oldest first.
///
/// A list and no map: a few entries are in flight, and the next to be applied is nearly always
/// the first.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<Registered>);

#[derive(Debug, Default)]
struct Registered {
    batches: VecDeque<Batch>,
    last: u64,
    /// Nothing will be applied any more.
    ended: bool,
}

impl Waiters {
    /// Notes who waits for an entry that is about to be appended.
    pub(super) fn register(&self, sent: Sent) -> Ticket {
        let mut registered = self.lock();
        registered.last += 1;
        let ticket = Ticket(registered.last);
        registered.batches.push_back(Batch { ticket, doubtful: false, sent });
        ticket
    }

    /// How many entries are under way.
    pub(super) fn len(&self) -> usize {
        self.lock().batches.len()
    }

    /// Takes the entry with these bytes, which was delivered; none if it is another node's.
    ///
    /// Two entries of equal bytes hold the same effects, so either answers for both.
    pub(super) fn take(&self, bytes: &Bytes) -> Option<Sent> {
        let mut registered = self.lock();
        let mut batches = registered.batches.iter();
        let place = batches.position(|batch| same(&batch.sent.bytes, bytes))?;
        Some(registered.batches.remove(place)?.sent)
    }

    /// The entry is not in the log: its waiters hear `fault`.
    pub(super) fn refuse(&self, ticket: Ticket, fault: &Fault) {
        let mut registered = self.lock();
        let mut batches = registered.batches.iter();
        let place = batches.position(|batch| batch.ticket == ticket);
        let batch = place.and_then(|place| registered.batches.remove(place));
        drop(registered);
        refuse_all(batch.into_iter().flat_map(|batch| batch.sent.answers), fault);
    }

    /// The entry may be in the log: its waiters go on waiting, `max` such waiters at most.
    pub(super) fn doubt(&self, ticket: Ticket, max: usize) {
        let mut registered = self.lock();
        if registered.ended {
            drop(registered);
            return self.refuse(ticket, &faults::in_doubt("the log lost track of the entry"));
        }
        let (mut count, mut bytes) = (0, 0);
        // Those whose callers have gone need nothing; doubts are rare, so all can be looked at.
        registered.batches.retain_mut(|batch| {
            batch.doubtful |= batch.ticket == ticket;
            let waited_for = batch.sent.answers.iter().any(|answer| !answer.is_closed());
            if batch.doubtful && waited_for {
                count += batch.sent.answers.len();
                bytes += batch.sent.bytes.len();
            }
            waited_for || !batch.doubtful
        });
        let mut given_up = Vec::new();
        while (count > max || bytes > DOUBTFUL_BYTES_MAX)
            && let Some(place) = registered.batches.iter().position(|batch| batch.doubtful)
            && let Some(batch) = registered.batches.remove(place)
        {
            count -= batch.sent.answers.len();
            bytes -= batch.sent.bytes.len();
            given_up.extend(batch.sent.answers);
        }
        drop(registered);
        let fault = faults::in_doubt("too many entries are in doubt to wait for this one");
        refuse_all(given_up.into_iter(), &fault);
    }

    /// The state was replaced by one that may hold the effects of some: `offset_of` says where.
    ///
    /// Those hear that their command has counted. The others may have been in conflict, or are
    /// still to come; they go on waiting.
    pub(super) fn settle(&self, applied: Offset, offset_of: impl Fn(&Effect) -> Option<Offset>) {
        let mut known = Vec::new();
        for Batch { sent, .. } in &mut self.lock().batches {
            for (effect, answer) in sent.entry.effects.iter().zip(&mut sent.answers) {
                if let Some(of) = offset_of(effect) {
                    // Its place must be kept, since answers go by place.
                    let (nobody, _) = oneshot::channel();
                    known.push((of, std::mem::replace(answer, nobody)));
                }
            }
        }
        for (of, answer) in known {
            // Whoever has gone does not want the verdict.
            let _ = answer.send(Ok(Committed::new(Verdict::Duplicate { of }, applied)));
        }
    }

    /// Nothing will be applied any more: all waiters are in doubt.
    pub(super) fn end(&self) {
        let mut registered = self.lock();
        registered.ended = true;
        let batches = std::mem::take(&mut registered.batches);
        drop(registered);
        let fault = faults::in_doubt("the journal stopped before the effect was applied");
        refuse_all(batches.into_iter().flat_map(|batch| batch.sent.answers), &fault);
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True if the bytes are equal; most logs hand on the very ones that were appended.
fn same(left: &Bytes, right: &Bytes) -> bool {
    left.len() == right.len() && (left.as_ptr() == right.as_ptr() || left == right)
}

/// Answers the waiters of an applied entry, in order.
pub(super) fn answer_all(answers: Vec<Answer>, verdicts: &[Verdict], applied: Offset) {
    for (answer, verdict) in answers.into_iter().zip(verdicts) {
        // Whoever has gone does not want the verdict.
        let _ = answer.send(Ok(Committed::new(*verdict, applied)));
    }
}

/// Answers all of them with `fault`.
pub(super) fn refuse_all(answers: impl Iterator<Item = Answer>, fault: &Fault) {
    for answer in answers {
        let _ = answer.send(Err(fault.clone()));
    }
}
