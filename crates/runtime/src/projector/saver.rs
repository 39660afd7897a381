use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catga_core::{Offset, RecordedEvent, panic_message};
use catga_host::{Host, Task};
use catga_journal::Journal;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, oneshot};

use super::due::Due;
use super::{Fold, PAGE};
use crate::view_store::{Identity, ViewStore};

/// A state that takes this many bytes takes some milliseconds to be read, for which folding would
/// stand still, and with it whoever waits to see an effect.
const LARGE: u64 = 1 << 20;

/// Keeps the checkpoints of one projection.
///
/// A checkpoint may be ahead of what the journal has applied at the next start: the journal begins
/// from a checkpoint of its own and reads its log again from there, and a follower that lost power
/// may have folded effects that its own log lost. Both is safe, since an effect is applied only
/// once it is committed, and what is committed comes back: from the log of this node, which a
/// single voter has synced before it applies, or from the others of a cluster, of which most have
/// synced it. Until then the projection waits for the effect after the last one that it holds, and
/// its mark is true all the while: everything up to it is folded in. Where effects may not come
/// back, the journal's incarnation is another, and the checkpoint is not used.
pub(super) struct Saver {
    cell: Arc<dyn Fold>,
    store: ViewStore,
    identity: Identity,
    /// Whoever writes has it: one at a time, so that a newer checkpoint is never replaced by an
    /// older one. Held over awaits and handed to the thread that writes.
    turn: Arc<Turn<()>>,
    /// How far the last checkpoint on disk is; zero if there is none.
    checkpointed: AtomicU64,
    due: Mutex<Due>,
    /// The projection takes no checkpoints: it is not asked again.
    never: AtomicBool,
    /// The last attempt failed, and somebody was told.
    failing: AtomicBool,
}

impl Saver {
    /// Takes the last checkpoint of the projection in `cell`, if there is one that can be used, and
    /// keeps the next ones. Blocks, up to reading the whole file.
    pub(super) fn open(cell: Arc<dyn Fold>, store: ViewStore, incarnation: u64) -> Self {
        let identity = Identity { name: cell.name(), version: cell.version(), incarnation };
        let restored = restore(&*cell, &store, &identity);
        let (offset, len) = restored.unwrap_or_default();
        Self {
            cell,
            store,
            identity,
            turn: Arc::default(),
            checkpointed: AtomicU64::new(offset.0),
            due: Mutex::new(Due::new(len)),
            never: AtomicBool::new(false),
            failing: AtomicBool::new(false),
        }
    }

    /// How far the last checkpoint on disk is, if there is one.
    pub(super) fn checkpointed(&self) -> Option<Offset> {
        let offset = self.checkpointed.load(Ordering::Acquire);
        (offset > 0).then_some(Offset(offset))
    }

    /// Counts what was folded, for when a checkpoint is due.
    pub(super) fn folded(&self, events: &[RecordedEvent], effects: u64) {
        self.due().folded(events, effects);
    }

    /// How long until a checkpoint is due, unless more has to be folded first.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        if self.never.load(Ordering::Relaxed) { None } else { self.due().wait(now) }
    }

    /// Begins a checkpoint and returns once folding may go on.
    ///
    /// A small state is read first: a fold that came before would wait on its lock, holding up a
    /// thread of the runtime and every reader. A large one is not touched: what came since the
    /// checkpoint before, or all if there is none, is folded into that, and this is written. It
    /// takes longer and as much memory again, and nobody waits for it.
    pub(super) async fn begin(self: &Arc<Self>, host: &Arc<dyn Host>, journal: &Arc<dyn Journal>) {
        let size = {
            let mut due = self.due();
            let size = due.size();
            due.begin(host.now());
            size
        };
        // The one before may take longer than the time between two.
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else { return };
        if size >= LARGE {
            let task = Arc::clone(self).save_beside(turn, Arc::clone(journal));
            drop(host.spawn_behind("checkpoint", Box::pin(task)));
            return;
        }
        let (read, was_read) = oneshot::channel();
        let task = Arc::clone(self).save(turn, Some(read));
        drop(host.spawn_thread("checkpoint", Box::pin(task)));
        // An error says that there is no such thread, or that there was nothing to read.
        let _ = was_read.await;
    }

    /// Writes a last checkpoint, after one that is under way, if anything was folded since. Nothing
    /// is folded any more.
    pub(super) fn finish(self: &Arc<Self>, host: &Arc<dyn Host>) -> Option<Task> {
        if self.never.load(Ordering::Relaxed) || self.cell.quarantined().is_some() {
            return None;
        }
        let saver = Arc::clone(self);
        let task = async move {
            let turn = Arc::clone(&saver.turn).lock_owned().await;
            let checkpointed = Offset(saver.checkpointed.load(Ordering::Acquire));
            let is_worth_it = saver.due().is_worth_it(saver.cell.offset(), checkpointed);
            if is_worth_it {
                saver.save(turn, None).await;
            }
        };
        Some(host.spawn_thread("checkpoint", Box::pin(task)))
    }

    /// On a thread of its own: reads the state, tells `read` so, and writes it.
    async fn save(self: Arc<Self>, turn: OwnedMutexGuard<()>, read: Option<oneshot::Sender<()>>) {
        let saved = saved(&*self.cell);
        // Nobody has to be waiting any more.
        let _ = read.map(|read| read.send(()));
        self.write(saved).await;
        drop(turn);
    }

    /// On a thread of its own: folds what came since the last checkpoint into that, and writes it.
    async fn save_beside(self: Arc<Self>, turn: OwnedMutexGuard<()>, journal: Arc<dyn Journal>) {
        let upto = self.cell.offset();
        let twin = match self.checkpointed() {
            Some(_) => beside(&*self.cell, &self.store, &self.identity),
            None => Ok(Some(self.cell.anew())),
        };
        let saved = match twin {
            Err(error) => {
                self.due().lost();
                Err(error)
            }
            Ok(None) => Ok(None),
            Ok(Some(twin)) => fold(&*twin, upto, &*journal).await.and_then(|()| saved(&*twin)),
        };
        self.write(saved).await;
        drop(turn);
    }

    /// Writes a state, if there is one.
    async fn write(&self, saved: Result<Option<(Offset, Vec<u8>)>, String>) {
        let (offset, state) = match saved {
            Ok(Some(saved)) => saved,
            Ok(None) => return self.never.store(true, Ordering::Relaxed),
            Err(error) => return self.failed(&error),
        };
        self.due().saved(state.len() as u64);
        match self.store.write(&self.identity, offset, &state).await {
            Ok(()) => {
                self.checkpointed.store(offset.0, Ordering::Release);
                let projection = self.identity.name;
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(projection, %offset, "checkpoints are written again");
                } else {
                    tracing::debug!(projection, %offset, bytes = state.len(), "checkpoint written");
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    /// The checkpoint before is kept, and the next one is tried when it is due.
    fn failed(&self, error: &dyn fmt::Display) {
        let projection = self.identity.name;
        if self.failing.swap(true, Ordering::Relaxed) {
            tracing::debug!(projection, %error, "a checkpoint could not be written again");
        } else {
            tracing::warn!(
                projection, %error,
                "a checkpoint could not be written; the node goes on, and the next start folds more"
            );
        }
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of `cell`; none if it takes no checkpoints.
fn saved(cell: &dyn Fold) -> Result<Option<(Offset, Vec<u8>)>, String> {
    match catch_unwind(AssertUnwindSafe(|| cell.save())) {
        Ok(saved) => saved.map_err(|error| error.to_string()),
        Err(panic) => Err(format!("its `save` panicked: {}", panic_message(&*panic))),
    }
}

/// The last checkpoint of the projection in `cell`, in a cell of its own.
fn beside(
    cell: &dyn Fold,
    store: &ViewStore,
    identity: &Identity,
) -> Result<Option<Box<dyn Fold>>, String> {
    let unreadable = |error: &dyn fmt::Display| format!("the last one cannot be read: {error}");
    let found = store.read(identity).map_err(|error| unreadable(&error))?;
    let (offset, state) = found.ok_or_else(|| unreadable(&"it is gone"))?;
    match catch_unwind(AssertUnwindSafe(|| cell.beside(offset, &state))) {
        Ok(restored) => restored.map_err(|error| unreadable(&error)),
        Err(panic) => Err(format!("its `restore` panicked: {}", panic_message(&*panic))),
    }
}

/// Folds into `twin` what the journal has up to `upto`.
async fn fold(twin: &dyn Fold, upto: Offset, journal: &dyn Journal) -> Result<(), String> {
    let filter = twin.filter();
    while twin.offset() < upto {
        let page = journal.page(twin.offset(), &filter, PAGE).await;
        let page = page.map_err(|fault| fault.to_string())?;
        match catch_unwind(AssertUnwindSafe(|| twin.fold(&page.events, page.upto))) {
            Ok(folded) => folded.map_err(|(position, error)| format!("{position}: {error}"))?,
            Err(panic) => return Err(format!("a fold panicked: {}", panic_message(&*panic))),
        }
    }
    Ok(())
}

/// Puts the last checkpoint into `cell`, if it can be used: how far it is, and how large. What
/// cannot be used is folded again from the start, and the log says why.
fn restore(cell: &dyn Fold, store: &ViewStore, identity: &Identity) -> Option<(Offset, u64)> {
    let projection = identity.name;
    let (offset, state) = match store.read(identity) {
        Ok(found) => found?,
        Err(error) if error.is_expected() => {
            let version = identity.version;
            tracing::info!(projection, version, %error, "folded from the start: its checkpoint is not used");
            return None;
        }
        Err(error) => {
            tracing::warn!(projection, %error, "folded from the start: its checkpoint cannot be read");
            return None;
        }
    };
    // What a panic leaves behind is not looked at: the cell is changed last.
    match catch_unwind(AssertUnwindSafe(|| cell.restore(offset, &state))) {
        Ok(Ok(true)) => {
            tracing::info!(projection, %offset, "resumed from its checkpoint");
            return Some((offset, state.len() as u64));
        }
        Ok(Ok(false)) => tracing::debug!(projection, "it takes no checkpoints any more"),
        Ok(Err(error)) => {
            tracing::warn!(projection, %error, "folded from the start: its checkpoint cannot be read");
        }
        Err(panic) => {
            let said = panic_message(&*panic);
            tracing::warn!(projection, said, "folded from the start: its `restore` panicked");
        }
    }
    None
}

impl fmt::Debug for Saver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saver")
            .field("identity", &self.identity)
            .field("checkpointed", &self.checkpointed())
            .finish_non_exhaustive()
    }
}
