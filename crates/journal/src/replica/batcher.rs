use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use catga_core::{Fault, Offset};
use catga_engine::{Directive, Effect, Entry, MAX_ENTRY_BYTES, RecordedAnswer};
use catga_host::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::shared::Shared;
use super::waiters::{Answer, Sent, Ticket};
use super::{ReplicaOptions, faults, waiters};
use crate::planted::Planted;
use crate::{AppendError, Log, LogIndex, Watermark};

/// An effect that waits for its entry.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) effect: Effect,
    pub(super) answer: Answer,
}

/// Makes entries of what waits, and appends them in order.
///
/// There is no timer: what waits goes together, and what comes meanwhile waits for the next. A
/// runtime may run whoever was woken last at once, and then the first to come would go alone each
/// time; so the batcher steps back once, behind whoever is about to send as well, as long as that
/// brings anything. It ends once it was stopped, or the queue has no senders, and every append has
/// come back.
pub(super) struct Batcher<L> {
    shared: Arc<Shared>,
    log: Arc<L>,
    options: ReplicaOptions,
    queue: mpsc::Receiver<Queued>,
    stop: Option<oneshot::Receiver<()>>,
    /// Nothing is proposed any more.
    stopped: bool,
    /// Taken from the queue, at most one entry's worth.
    waiting: Vec<Queued>,
    gathering: Gathering,
    /// At most [`ReplicaOptions::appends_in_flight_max`].
    in_flight: Vec<Append>,
}

/// Whether it is worth stepping back for others who are about to send.
#[derive(Debug, Default)]
struct Gathering {
    /// Stepped back with so many waiting.
    since: Option<usize>,
    /// Stepping back for this entry has brought something.
    gained: bool,
    /// For so many entries nobody steps back, since the last time brought nothing.
    pause: u32,
}

/// How many entries go at once after stepping back has brought nothing: a single sender must not
/// pay for company that it does not have.
const GATHERING_PAUSE: u32 = 32;

impl Gathering {
    /// True if the batcher is to step back before it makes an entry of the `waiting`: once, and
    /// again as long as that brings more.
    fn step_back(&mut self, waiting: usize) -> bool {
        match self.since.take() {
            Some(before) if waiting > before => {
                (self.since, self.gained) = (Some(waiting), true);
                true
            }
            Some(_) => {
                if !std::mem::take(&mut self.gained) {
                    self.pause = GATHERING_PAUSE;
                }
                false
            }
            None if self.pause > 0 => {
                self.pause -= 1;
                false
            }
            None => {
                self.since = Some(waiting);
                true
            }
        }
    }
}

struct Append {
    ticket: Ticket,
    future: BoxFuture<'static, Result<LogIndex, AppendError>>,
}

impl<L: Log> Batcher<L> {
    pub(super) fn new(
        shared: Arc<Shared>,
        log: Arc<L>,
        options: ReplicaOptions,
        queue: mpsc::Receiver<Queued>,
        stop: oneshot::Receiver<()>,
    ) -> Self {
        Self {
            shared,
            log,
            options,
            queue,
            stop: Some(stop),
            stopped: false,
            waiting: Vec::new(),
            gathering: Gathering::default(),
            in_flight: Vec::new(),
        }
    }

    /// Runs to its end, and raises `ended` to 1 there, also when it is aborted or panics.
    pub(super) async fn run(mut self, ended: Arc<Watermark>) {
        let _end = EndOnDrop(Arc::clone(&self.shared), ended);
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_stop(cx);
        self.poll_in_flight(cx);
        loop {
            if self.stopped {
                return self.poll_refuse(cx);
            }
            if self.in_flight.len() >= self.options.appends_in_flight_max {
                return Poll::Pending;
            }
            let room = self.options.batch_effects_max - self.waiting.len();
            // What was left over from the last entry goes on with whatever has come since.
            let open = room == 0
                || match self.queue.poll_recv_many(cx, &mut self.waiting, room) {
                    Poll::Pending if self.waiting.is_empty() => return Poll::Pending,
                    Poll::Ready(0) => false,
                    _ => true,
                };
            if !open && self.waiting.is_empty() {
                return self.done();
            }
            if let Err(fault) = self.shared.alive() {
                self.refuse_waiting(&fault);
                continue;
            }
            let full = self.waiting.len() == self.options.batch_effects_max;
            if open && !full && self.gathering.step_back(self.waiting.len()) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.propose(cx);
        }
    }

    fn poll_stop(&mut self, cx: &mut Context<'_>) {
        let Some(stop) = &mut self.stop else { return };
        if let Poll::Ready(asked) = Pin::new(stop).poll(cx) {
            self.stop = None;
            // Dropped unasked, the replica is gone: what waits still goes into the log.
            self.stopped = asked.is_ok();
        }
    }

    fn poll_in_flight(&mut self, cx: &mut Context<'_>) {
        let mut place = 0;
        while let Some(append) = self.in_flight.get_mut(place) {
            match append.future.as_mut().poll(cx) {
                Poll::Pending => place += 1,
                Poll::Ready(result) => {
                    let append = self.in_flight.remove(place);
                    self.appended(append.ticket, result);
                }
            }
        }
    }

    /// Refuses what waits until nobody can send any more.
    fn poll_refuse(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.queue.close();
        loop {
            self.refuse_waiting(&faults::shutting_down());
            let room = self.options.batch_effects_max;
            match self.queue.poll_recv_many(cx, &mut self.waiting, room) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(0) => return self.done(),
                Poll::Ready(_) => {}
            }
        }
    }

    fn done(&self) -> Poll<()> {
        if self.in_flight.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn refuse_waiting(&mut self, fault: &Fault) {
        for queued in self.waiting.drain(..) {
            let _ = queued.answer.send(Err(fault.clone()));
        }
    }

    /// Appends one entry of what waits.
    fn propose(&mut self, cx: &mut Context<'_>) {
        let count = self.batch_len();
        let (elapsed_ms, wall) = self.shared.clock.stamp();
        let mut entry = Entry {
            engine: self.shared.engine_version(),
            elapsed_ms,
            wall,
            effects: Vec::with_capacity(count),
        };
        let mut answers = Vec::with_capacity(count);
        for Queued { mut effect, answer } in self.waiting.drain(..count) {
            entry.engine = entry.engine.max(raised_to(&effect, self.options.engine_version_max));
            if Planted::ConditionsDropped.is_here() {
                effect.conditions.clear();
            }
            if Planted::DedupByClient.is_here() && effect.directive.is_none() {
                (effect.id.sequence, effect.payload_hash) = (0, 0);
            }
            entry.effects.push(effect);
            answers.push(answer);
        }
        let bytes = entry.encode();
        debug_assert_eq!(
            Entry::decode(&bytes).as_ref(),
            Ok(&entry),
            "this node applies the entry as it is, the others as they read it"
        );
        if bytes.len() > MAX_ENTRY_BYTES {
            let fault = faults::too_large(MAX_ENTRY_BYTES);
            return waiters::refuse_all(answers.into_iter(), &fault);
        }
        // Before the append: the entry may be applied before that returns.
        let ticket = self.shared.waiters.register(Sent { bytes: bytes.clone(), entry, answers });
        let log = Arc::clone(&self.log);
        let mut future: BoxFuture<'static, _> = Box::pin(async move { log.append(bytes).await });
        // Polled here and now: entries get their order, and a log in memory is done at once.
        match future.as_mut().poll(cx) {
            Poll::Ready(result) => self.appended(ticket, result),
            Poll::Pending => self.in_flight.push(Append { ticket, future }),
        }
    }

    /// How many of those that wait go into the next entry.
    fn batch_len(&self) -> usize {
        let mut bytes = 0;
        let fits = self.waiting.iter().take_while(|queued| {
            bytes += weight(&queued.effect);
            bytes <= self.options.batch_bytes_max
        });
        // One that is too large goes alone, and the log judges it.
        fits.count().max(1)
    }

    fn appended(&self, ticket: Ticket, result: Result<LogIndex, AppendError>) {
        match result {
            // Its waiters were answered when it was applied.
            Ok(_) => {}
            Err(AppendError::Refused(refusal)) => {
                self.shared.waiters.refuse(ticket, &faults::refused(&refusal));
            }
            Err(AppendError::InDoubt(why)) => {
                tracing::warn!(node = %self.shared.node, why, "an entry is in doubt");
                self.shared.waiters.doubt(ticket, self.options.doubtful_max);
            }
        }
    }
}

/// The rules to which an effect raises those of its entry, where this node goes along with them.
fn raised_to(effect: &Effect, supported: u32) -> u32 {
    match effect.directive {
        Some(Directive::RaiseEngine { to }) if to <= supported => to,
        _ => 0,
    }
}

/// About how many bytes the effect adds to an entry.
fn weight(effect: &Effect) -> usize {
    const FRAME: usize = 64;
    let answer = match &effect.answer {
        RecordedAnswer::None => 0,
        RecordedAnswer::Reply(payload) | RecordedAnswer::Refusal(payload) => payload.len(),
    };
    let events = effect.events.iter().map(|event| FRAME + event.payload.len());
    let records = effect.records.iter().map(|write| {
        let value = write.value.as_ref();
        FRAME + value.map_or(0, bytes::Bytes::len)
    });
    FRAME + answer + events.sum::<usize>() + records.sum::<usize>()
}

/// Answers whoever is left when the batcher goes, and says that it has gone.
struct EndOnDrop(Arc<Shared>, Arc<Watermark>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.waiters.end();
        self.1.advance(Offset(1));
    }
}
