use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use catga_core::{Fault, NodeName, Offset};
use catga_engine::{Engine, Lookup, MemoryState};
use catga_host::Host;
use tokio::sync::SetOnce;

use super::awaited::Awaited;
use super::clock::Clock;
use super::disk::{Disk, Opened};
use super::waiters::Waiters;
use super::{ReplicaOptions, faults};
use crate::heads::{Changed, Heads};
use crate::history::History;
use crate::stored::Stored;
use crate::{LogIndex, Watermark};

/// What the halves of a replica share: the commits, the applier and the readers.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) node: NodeName,
    pub(super) incarnation: u64,
    /// Raised once the history holds the effects, and before their waiters are answered.
    pub(super) applied: Watermark,
    pub(super) waiters: Waiters,
    /// Whoever waits for a command that others may have proposed.
    pub(super) awaited: Arc<Awaited>,
    /// Counts the changes of leadership.
    pub(super) leaderships: Watermark,
    pub(super) clock: Clock,
    /// Written by the applier alone, an entry at a time; read by everybody, never across an
    /// await. Many readers at once, because pages are long and projections all read them.
    state: RwLock<State>,
    /// The engine's version, for the batcher, which needs nothing else of the state.
    engine_version: AtomicU32,
    /// The newest that this node goes along with.
    pub(super) engine_version_max: u32,
    /// Where checkpoints go; none for a replica in memory.
    pub(super) disk: Option<Disk>,
    /// Why the replica stopped; set before anybody can read what was left half done.
    pub(super) failure: SetOnce<Fault>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) engine: Engine<Heads>,
    /// The effects above those of the last checkpoint that began, or all.
    pub(super) history: History,
    /// The effects that checkpoints under way write down; newest last.
    pub(super) frozen: Vec<Arc<History>>,
    /// The heads that belong to them.
    pub(super) frozen_heads: Vec<Arc<Changed>>,
    /// The effects below; none for a replica in memory.
    pub(super) stored: Option<Stored>,
    /// The last entry in it.
    pub(super) index: Option<LogIndex>,
}

impl State {
    /// The state as of a checkpoint.
    pub(super) fn over(
        incarnation: u64,
        index: LogIndex,
        engine: Engine<MemoryState>,
        stored: Stored,
    ) -> Self {
        let heads = Heads::over(stored.index.clone());
        Self {
            engine: engine.with_state(|_| heads),
            history: History::new(incarnation, stored.offset()),
            frozen: Vec::new(),
            frozen_heads: Vec::new(),
            stored: Some(stored),
            index: Some(index),
        }
    }
}

impl Shared {
    pub(super) fn new(host: &Arc<dyn Host>, options: &ReplicaOptions, opened: Opened) -> Self {
        let Opened { state, incarnation, disk } = opened;
        Self {
            node: options.node.clone(),
            incarnation,
            applied: Watermark::new(state.engine.offset()),
            waiters: Waiters::default(),
            awaited: Arc::default(),
            leaderships: Watermark::default(),
            clock: Clock::new(Arc::clone(host)),
            engine_version: AtomicU32::new(state.engine.version()),
            engine_version_max: options.engine_version_max,
            state: RwLock::new(state),
            disk,
            failure: SetOnce::new(),
        }
    }

    /// Reads the state between two entries.
    ///
    /// # Errors
    /// When the replica has stopped.
    pub(super) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T, Fault> {
        match self.state.read() {
            Ok(state) => self.alive().map(|()| read(&state)),
            Err(_) => Err(faults::half_applied()),
        }
    }

    /// The state, to apply to it. A panic while it is held keeps everybody from it for good.
    ///
    /// # Errors
    /// When the replica has stopped.
    pub(super) fn write(&self) -> Result<RwLockWriteGuard<'_, State>, Fault> {
        self.alive()?;
        self.state.write().map_err(|_| faults::half_applied())
    }

    pub(super) fn engine_version(&self) -> u32 {
        // It changes with an entry and is stated in entries; no other memory goes with it.
        self.engine_version.load(Ordering::Relaxed)
    }

    pub(super) fn set_engine_version(&self, version: u32) {
        self.engine_version.store(version, Ordering::Relaxed);
    }

    /// Whether this node goes along with something of engine version `version`.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn goes_along(&self, version: u32) -> Result<(), Fault> {
        let most = self.engine_version_max;
        if version <= most { Ok(()) } else { Err(faults::newer_engine(version, most)) }
    }

    /// # Errors
    /// Why the replica has stopped.
    pub(super) fn alive(&self) -> Result<(), Fault> {
        self.failure.get().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Tells everybody that `state` has taken the place of all that was there.
    pub(super) fn replace(&self, state: State) -> Result<(), Fault> {
        let (offset, version) = (state.engine.offset(), state.engine.version());
        let former = std::mem::replace(&mut *self.write()?, state);
        // Taking all of a history apart takes long; nobody should wait for it at the lock.
        drop(former);
        self.set_engine_version(version);
        self.clock.seen();
        self.applied.advance(offset);
        self.settle(offset);
        Ok(())
    }

    /// Answers those whose effects the state, which was just installed, holds already.
    fn settle(&self, applied: Offset) {
        self.waiters.settle(applied, |effect| {
            let known = |state: &State| state.engine.lookup(effect.id, None, effect.payload_hash);
            match self.read(known) {
                Ok(Lookup::Known { offset }) => Some(offset),
                _ => None,
            }
        });
        let known = self.awaited.take_known(|wait| {
            let known =
                |state: &State| state.engine.lookup(wait.id, wait.key.as_ref(), wait.payload_hash);
            match self.read(known) {
                Ok(Lookup::Known { offset }) => Some(offset),
                _ => None,
            }
        });
        known.into_iter().for_each(|(wait, offset)| wait.settle(offset));
    }

    /// Stops the replica: no entry can be applied any more.
    #[cold]
    pub(super) fn fail(&self, fault: &Fault) {
        tracing::error!(node = %self.node, %fault, "the journal stops");
        // The first failure is the one that counts.
        let _ = self.failure.set(fault.clone());
        // Whoever got in before the failure was set has left once the lock was ours.
        drop(self.state.write().unwrap_or_else(PoisonError::into_inner));
        self.applied.close();
        self.waiters.end();
    }
}
