use std::fmt;
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use catga_core::{Fault, FaultCode, Offset, panic_message};
use catga_engine::{Applied, Entry, Verdict};
use catga_host::BoxFuture;

use super::awaited::Wait;
use super::pieces::ReplicaPieces;
use super::shared::{Shared, State};
use super::{checkpoint, install, snapshot, waiters};
use crate::observed;
use crate::planted::Planted;
use crate::stored::storage_fault;
use crate::{Applier, Delivered, LogIndex, LogSnapshot, Mending, PendingSnapshot, Pieces};

/// The half of a replica that its log delivers to.
///
/// Any failure, a panic too, stops the replica for good; the log then has to stop as well.
pub struct ReplicaApplier {
    shared: Arc<Shared>,
    /// Kept from entry to entry, so that applying allocates nothing for it.
    outcome: Applied,
    /// Who waited for what the last entry brought, by offset; kept for the same reason.
    due: Vec<(Wait, Offset)>,
    /// A bug on purpose: the next entry is passed over.
    skips: bool,
}

impl ReplicaApplier {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let skips = Planted::EntrySkippedAtStart.is_here()
            && shared.read(|state| state.index.is_some()).unwrap_or_default();
        Self { shared, outcome: Applied::default(), due: Vec::new(), skips }
    }

    fn apply_one(&mut self, delivered: &Delivered) -> Result<(), Fault> {
        let shared = Arc::clone(&self.shared);
        let sent = shared.waiters.take(&delivered.entry);
        let is_own = sent.is_some();
        let (entry, answers) = match sent {
            Some(sent) => (sent.entry, sent.answers),
            None => {
                shared.clock.seen();
                (decode(delivered)?, Vec::new())
            }
        };
        // If this fails, its waiters are gone with it, which tells them that they are in doubt.
        let applied = self.outcome_of(entry, delivered)?;
        observed::show(|observer| observer.applied(&shared.node, delivered, is_own));
        // First the mark and then the waiters: whoever follows the journal is on its way before
        // callers ask what it has made of their effects.
        shared.applied.advance(applied);
        waiters::answer_all(answers, &self.outcome.verdicts, applied);
        self.due.drain(..).for_each(|(wait, offset)| wait.settle(offset));
        Ok(())
    }

    /// Decides the entry and keeps what counted; how far the journal is applied then.
    fn outcome_of(&mut self, entry: Entry, delivered: &Delivered) -> Result<Offset, Fault> {
        let mut state = self.shared.write()?;
        let state = &mut *state;
        if state.index >= Some(delivered.index) {
            // To go on would be to decide otherwise than the other nodes.
            let (index, last) = (delivered.index, state.index);
            let message = format!("the log delivered {index:?} after {last:?}");
            return Err(Fault::internal(message));
        }
        if std::mem::take(&mut self.skips) {
            state.index = Some(delivered.index);
            self.outcome = Applied::default();
            return Ok(state.engine.offset());
        }
        self.shared.goes_along(entry.engine)?;
        state.engine.state_mut().fetch(&entry).map_err(storage_fault)?;
        #[cfg(feature = "planted")]
        if Planted::ExpiryByWallClock.is_here() {
            state.engine.set_time_ms(self.shared.clock.wall_ms());
        }
        let decided = state.engine.apply(&entry, &delivered.entry, &mut self.outcome);
        decided.map_err(|error| {
            let message = format!("cannot apply the entry at {:?}: {error}", delivered.index);
            Fault::new(FaultCode::Unreadable, message)
        })?;
        let mut versions = &*self.outcome.versions;
        let nobody_waits = self.shared.awaited.is_empty();
        for (effect, verdict) in entry.effects.into_iter().zip(&self.outcome.verdicts) {
            if let Verdict::Counted { offset } = *verdict {
                if !nobody_waits {
                    let waits = self.shared.awaited.take(&effect);
                    self.due.extend(waits.into_iter().map(|wait| (wait, offset)));
                }
                // The engine gave a version for every event of every effect that counted.
                let (own, rest) = versions.split_at(effect.events.len());
                state.history.push(effect, own);
                versions = rest;
            }
        }
        state.index = Some(delivered.index);
        self.shared.set_engine_version(state.engine.version());
        Ok(state.engine.offset())
    }

    /// Runs `step` and stops the replica if it fails.
    fn or_stop<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        // Safe to go on with afterwards: the state's lock is poisoned, and nothing else is used.
        let done = catch_unwind(AssertUnwindSafe(|| step(self)));
        let done = done.unwrap_or_else(|panic| {
            let message = format!("applying panicked: {}", panic_message(&*panic));
            Err(Fault::internal(message))
        });
        done.inspect_err(|fault| self.shared.fail(fault))
    }
}

fn decode(delivered: &Delivered) -> Result<Entry, Fault> {
    Entry::decode(&delivered.entry).map_err(|error| {
        let message = format!("cannot read the entry at {:?}: {error}", delivered.index);
        Fault::new(FaultCode::Unreadable, message)
    })
}

impl Applier for ReplicaApplier {
    fn applied(&self) -> Option<LogIndex> {
        self.shared.read(|state| state.index).ok().flatten()
    }

    fn apply(&mut self, entries: &[Delivered]) -> Result<(), Fault> {
        self.or_stop(|this| entries.iter().try_for_each(|entry| this.apply_one(entry)))?;
        if let Some(disk) = &self.shared.disk {
            disk.applied(entries);
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<PendingSnapshot, Fault> {
        if self.shared.disk.is_some() {
            return checkpoint::begin(&self.shared);
        }
        let snapshot = self.shared.read(|state| LogSnapshot {
            upto: state.index,
            data: snapshot::write(&state.engine, &state.history),
        })?;
        Ok(snapshot.into())
    }

    fn install(&mut self, snapshot: LogSnapshot) -> BoxFuture<'_, Result<(), Fault>> {
        if self.shared.disk.is_none() {
            return Box::pin(ready(self.install_in_memory(&snapshot)));
        }
        Box::pin(async move {
            let installed = install::install(&self.shared, &snapshot).await;
            // How far it came is not known: the next start finds the state before, or this one.
            installed.inspect_err(|fault| self.shared.fail(fault))
        })
    }

    fn pieces(&self) -> Option<Arc<dyn Pieces>> {
        let pieces = || Arc::new(ReplicaPieces::of(&self.shared)) as Arc<dyn Pieces>;
        self.shared.disk.is_some().then(pieces)
    }

    fn mending(&self) -> Option<Arc<dyn Mending>> {
        let is_mended = self.shared.disk.as_ref().is_some_and(|disk| disk.options.mended);
        is_mended.then(|| Arc::new(ReplicaPieces::of(&self.shared)) as Arc<dyn Mending>)
    }
}

impl ReplicaApplier {
    fn install_in_memory(&self, snapshot: &LogSnapshot) -> Result<(), Fault> {
        // Built before anything is touched: if it is damaged, the state is as before.
        let limits = self.shared.read(|state| state.engine.limits())?;
        let (engine, history) = snapshot::read(&snapshot.data, limits, self.shared.incarnation)?;
        self.shared.goes_along(engine.version())?;
        let offset = engine.offset();
        let have = self.shared.read(|state| state.engine.offset())?;
        if offset < have {
            let message =
                format!("a snapshot at offset {offset} is older than the state at {have}");
            return Err(Fault::internal(message));
        }
        let (frozen, frozen_heads, stored) = (Vec::new(), Vec::new(), None);
        let index = snapshot.upto;
        self.shared.replace(State { engine, history, frozen, frozen_heads, stored, index })
    }
}

impl fmt::Debug for ReplicaApplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicaApplier")
            .field("node", &self.shared.node)
            .field("applied", &self.shared.applied.get())
            .finish_non_exhaustive()
    }
}
