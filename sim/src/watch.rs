use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use catga_core::{NodeName, Offset};
use catga_engine::{Engine, Limits, MemoryState};
use catga_journal::observed::Observer;
use catga_journal::{Delivered as Entry, LogIndex};

use crate::Violation;
use crate::invariants::{Counted, Delivered, Evaluations, Hashes, Leaders, Snapshots};
use crate::ledger::Ledger;

/// What all nodes have been seen to do, in all their lives.
#[derive(Debug)]
pub(crate) struct Watch {
    ledger: Arc<Ledger>,
    /// Those of the engine on every node.
    limits: Limits,
    /// Locked for one look.
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    hashes: Hashes,
    leaders: Leaders,
    delivered: Delivered,
    snapshots: Snapshots,
    /// As the last replay has left it.
    counted: Counted,
    evaluated: Evaluations,
}

impl Watch {
    /// Tells `ledger` what is not as it must be.
    pub(crate) fn new(ledger: &Arc<Ledger>, limits: Limits) -> Arc<Self> {
        Arc::new(Self { ledger: Arc::clone(ledger), limits, seen: Mutex::default() })
    }

    /// A node stands at `place`.
    pub(crate) fn stands(&self, name: impl FnOnce() -> String, place: (Offset, u64)) {
        let seen = &mut *self.lock();
        self.judge(seen.hashes.look(name, place, &mut seen.evaluated));
    }

    /// Node `number` says in its life numbered `life` that it leads in `term`.
    pub(crate) fn leads(&self, number: usize, life: u64, term: u64) {
        let seen = &mut *self.lock();
        self.judge(seen.leaders.look(number, life, term, &mut seen.evaluated));
    }

    /// The engine after everything that was applied, compared with every checkpoint.
    pub(crate) fn replay(&self) -> Result<Engine<MemoryState>, Violation> {
        let seen = &mut *self.lock();
        seen.counted = Counted::default();
        let Seen { delivered, snapshots, counted, evaluated, .. } = seen;
        snapshots.replay(delivered, self.limits, counted, evaluated)
    }

    /// In how many terms somebody led.
    pub(crate) fn leaders(&self) -> u64 {
        self.lock().leaders.len()
    }

    /// How many keys counted again after they had been forgotten.
    pub(crate) fn keys_used_again(&self) -> u64 {
        self.lock().counted.again
    }

    /// How often it has looked at what.
    pub(crate) fn evaluated(&self) -> Evaluations {
        self.lock().evaluated
    }

    fn judge(&self, verdict: Result<(), Violation>) {
        if let Err(violation) = verdict {
            self.ledger.accuse(violation);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch {
    fn applied(&self, node: &NodeName, entry: &Entry, is_own: bool) {
        let seen = &mut *self.lock();
        let (name, evaluated) = (node.as_str(), &mut seen.evaluated);
        self.judge(seen.delivered.applied(name, entry.index, &entry.entry, evaluated));
        if is_own {
            self.judge(seen.leaders.committed(name, entry.index.term, evaluated));
        }
    }

    fn checkpoint(&self, node: &NodeName, index: LogIndex, engine: &Bytes) {
        let seen = &mut *self.lock();
        self.judge(seen.snapshots.written(node.as_str(), index, engine));
    }
}
