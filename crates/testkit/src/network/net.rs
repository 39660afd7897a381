use std::collections::BTreeMap;
use std::fmt;
use std::task::Waker;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use super::attempt::Attempt;
use super::connection::{Connection, Side};
use super::counts::Counts;
use super::machine::{Machine, MachineId};
use super::paths::Paths;
use crate::Trace;

/// A network behind its lock.
pub(super) struct Net {
    pub(super) trace: Trace,
    pub(super) counts: Counts,
    pub(super) paths: Paths,
    pub(super) machines: Vec<Machine>,
    pub(super) attempts: BTreeMap<u64, Attempt>,
    pub(super) connections: BTreeMap<u64, Connection>,
    /// What happens at some time, and at one time in the order in which it was decided.
    events: BTreeMap<(Instant, u64), Event>,
    /// How many numbers were given out.
    numbers: u64,
    /// The task that waits for the next event, and until when it does.
    wire: Option<Waker>,
    armed: Option<Instant>,
    /// To be woken once the lock is free: what they run may come back here.
    pub(super) wakes: Vec<Waker>,
    /// What arrived since it was noted last.
    pub(super) arrived: Arrived,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// What this end sent may be there.
    Deliver(u64, Side),
    /// What this end sent is known to be read.
    Ack(u64, Side),
    /// The next step of a connect.
    Attempt(u64),
}

/// Chunks that arrived together, noted in one line.
#[derive(Default)]
pub(super) struct Arrived {
    chunks: u64,
    bytes: u64,
    /// Of which connections and sizes they were.
    mixed: u64,
}

impl Net {
    pub(super) fn new(seed: u64, trace: Trace) -> Self {
        Self {
            trace,
            counts: Counts::default(),
            paths: Paths::new(Rng::with_seed(seed)),
            machines: Vec::new(),
            attempts: BTreeMap::new(),
            connections: BTreeMap::new(),
            events: BTreeMap::new(),
            numbers: 0,
            wire: None,
            armed: None,
            wakes: Vec::new(),
            arrived: Arrived::default(),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<MachineId> {
        self.machines.iter().position(|machine| &*machine.name == name)
    }

    /// A number that nothing else has.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// True if what is sent now gets through, so far as it can be known now.
    pub(super) fn is_open(&self, from: MachineId, to: MachineId) -> bool {
        self.machines[to].is_up && !self.paths.is_cut(from, to)
    }

    pub(super) fn schedule(&mut self, due: Instant, event: Event) {
        let number = self.number();
        self.events.insert((due, number), event);
        if self.armed.is_none_or(|armed| due < armed) {
            self.wakes.extend(self.wire.take());
        }
    }

    pub(super) fn schedule_in(&mut self, delay: Duration, event: Event) {
        self.schedule(Instant::now() + delay, event);
    }

    /// Does everything that is due, and says when something is again. `wire` is woken when that
    /// changes.
    pub(super) fn run_due(&mut self, wire: &Waker) -> Option<Instant> {
        let now = Instant::now();
        // Nothing that comes up meanwhile is earlier.
        self.armed = Some(now);
        while let Some(next) = self.events.first_entry() {
            if next.key().0 > now {
                break;
            }
            match next.remove() {
                Event::Deliver(connection, side) => self.deliver(connection, side, now),
                Event::Ack(connection, side) => self.hear_ack(connection, side),
                Event::Attempt(attempt) => self.step_attempt(attempt),
            }
        }
        self.note_arrived();
        self.wire = Some(wire.clone());
        self.armed = self.events.keys().next().map(|(due, _)| *due);
        self.armed
    }

    fn note_arrived(&mut self) {
        let Arrived { chunks, bytes, mixed } = std::mem::take(&mut self.arrived);
        if chunks > 0 {
            self.trace.note(format_args!("{chunks} chunks, {bytes} bytes, {mixed:016x}"));
        }
    }

    pub(super) fn note(&self, what: fmt::Arguments<'_>) {
        self.trace.note(what);
    }
}

impl Arrived {
    pub(super) fn add(&mut self, connection: u64, side: Side, bytes: usize) {
        self.chunks += 1;
        self.bytes += bytes as u64;
        for number in [connection, side as u64, bytes as u64] {
            // Multiplied by the prime of FNV-1a, which spreads what came before.
            self.mixed = (self.mixed ^ number).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // It ends when it finds nobody.
        self.wire.take().into_iter().for_each(Waker::wake);
    }
}
