use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catga_core::{Fault, FaultCode, Offset};
use catga_engine::{Engine, Limits, MemoryState};
use catga_host::Host;
use tokio::sync::Notify;

use super::shared::State;
use super::{DiskOptions, ReplicaOptions};
use crate::archive::Archive;
use crate::heads::Heads;
use crate::history::History;
use crate::segment::SegmentError;
use crate::stored::{Checkpoint, Checkpoints, Manifest, Repair, Staging, Stored, storage_fault};
use crate::{Delivered, Foundation, LogIndex};

/// The disk of a replica, and how much was applied since it was last brought up to date.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) host: Arc<dyn Host>,
    pub(super) checkpoints: Checkpoints,
    pub(super) options: DiskOptions,
    /// The pieces of a snapshot that comes from another node.
    pub(super) staging: Arc<Staging>,
    /// What the newest durable checkpoint is, for other nodes.
    newest: Mutex<Option<Manifest>>,
    started_at: Offset,
    /// How often the state of another node took the place of everything.
    taken_over: AtomicU64,
    mended: AtomicU64,
    /// One checkpoint is written or taken over at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Bytes of entries applied in this life of the process.
    applied_bytes: AtomicU64,
    progress: Mutex<Progress>,
    /// Told when a checkpoint may be due.
    pub(super) due: Notify,
}

#[derive(Debug, Default)]
struct Progress {
    /// How many bytes were applied when the last checkpoint began.
    begun_at: u64,
    /// When that was, on the host's clock.
    begun: Option<Duration>,
    /// Checkpoints that are durable, oldest first, with the bytes that were applied then.
    done: VecDeque<(LogIndex, u64)>,
}

/// A replica as it starts.
pub(super) struct Opened {
    pub(super) state: State,
    pub(super) incarnation: u64,
    pub(super) disk: Option<Disk>,
}

/// A replica as of its last checkpoint, or an empty one.
///
/// # Errors
/// When there is a checkpoint and it cannot be read.
pub(super) async fn open(host: &Arc<dyn Host>, options: &ReplicaOptions) -> Result<Opened, Fault> {
    let incarnation = || options.incarnation.unwrap_or_else(|| host.random());
    let Some(disk_options) = &options.disk else {
        let incarnation = incarnation();
        let state = empty(options.limits, incarnation, Heads::default(), None);
        return Ok(Opened { state, incarnation, disk: None });
    };
    let mut checkpoints = Checkpoints::new(disk_options.files.clone(), disk_options.dir.clone())
        .with_segment_bytes(disk_options.segment_bytes);
    if disk_options.mended {
        checkpoints = checkpoints.with_mending();
    }
    let empty_store = checkpoints.empty().await.map_err(storage_fault)?;
    Repair::remove_unfinished(&checkpoints).map_err(storage_fault)?;
    let found = checkpoints.open().await.map_err(|error| lost(error, disk_options.mended))?;
    let (state, incarnation, newest) = match found {
        None => {
            let incarnation = incarnation();
            let heads = Heads::over(empty_store.index.clone());
            (empty(options.limits, incarnation, heads, Some(empty_store)), incarnation, None)
        }
        Some((checkpoint, stored)) => {
            let incarnation = checkpoint.incarnation;
            if options.incarnation.is_some_and(|expected| expected != incarnation) {
                let dir = disk_options.dir.display();
                let message = format!("{dir} holds a checkpoint of another life of the journal");
                return Err(Fault::new(FaultCode::Unreadable, message));
            }
            let Checkpoint { index, engine, .. } = &checkpoint;
            let newest = Manifest::of(incarnation, *index, engine, &stored);
            (restored(options.limits, checkpoint, stored)?, incarnation, Some(newest))
        }
    };
    let disk = Disk {
        host: Arc::clone(host),
        staging: Arc::new(Staging::new(checkpoints.clone())),
        checkpoints,
        started_at: newest.as_ref().map_or(Offset::ZERO, Manifest::offset),
        newest: Mutex::new(newest),
        taken_over: AtomicU64::new(0),
        mended: AtomicU64::new(0),
        options: disk_options.clone(),
        turn: tokio::sync::Mutex::default(),
        applied_bytes: AtomicU64::new(0),
        progress: Mutex::default(),
        due: Notify::new(),
    };
    Ok(Opened { state, incarnation, disk: Some(disk) })
}

/// Why there is no going on from the last checkpoint.
#[cold]
fn lost(error: SegmentError, is_mended: bool) -> Fault {
    if !error.is_loss() {
        return storage_fault(error);
    }
    // With peers there are other ways.
    let advice = if is_mended { "" } else { "; restore this node from a backup" };
    let message = format!("what the last checkpoint needs is lost or damaged: {error}{advice}");
    Fault::new(FaultCode::Unreadable, message)
}

fn empty(limits: Limits, incarnation: u64, heads: Heads, stored: Option<Stored>) -> State {
    let engine = Engine::new(MemoryState::new(), limits).with_state(|_| heads);
    let history = History::new(incarnation, Offset::ZERO);
    let (frozen, frozen_heads) = (Vec::new(), Vec::new());
    State { engine, history, frozen, frozen_heads, stored, index: None }
}

fn restored(limits: Limits, checkpoint: Checkpoint, stored: Stored) -> Result<State, Fault> {
    let unreadable = |what: String| {
        Fault::new(FaultCode::Unreadable, format!("cannot read the last checkpoint: {what}"))
    };
    let engine = Engine::restore(&checkpoint.engine, limits);
    let engine = engine.map_err(|error| unreadable(error.to_string()))?;
    let (counted, held) = (engine.offset(), stored.offset());
    if counted != held {
        return Err(unreadable(format!("the engine counted {counted}, its history has {held}")));
    }
    Ok(State::over(checkpoint.incarnation, checkpoint.index, engine, stored))
}

impl Disk {
    /// Counts what was applied.
    pub(super) fn applied(&self, entries: &[Delivered]) {
        let bytes: usize = entries.iter().map(|delivered| delivered.entry.len()).sum();
        let before = self.applied_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before + bytes as u64 >= self.lock().begun_at + self.options.pace.bytes as u64 {
            self.due.notify_one();
        }
    }

    /// How long until a checkpoint may begin; none if too little was applied since the last.
    pub(super) fn due_in(&self) -> Option<Duration> {
        let progress = self.lock();
        let since = self.applied_bytes.load(Ordering::Relaxed) - progress.begun_at;
        if since < self.options.pace.bytes as u64 {
            return None;
        }
        let next = progress.begun.map(|begun| begun + self.options.pace.interval);
        Some(next.map_or(Duration::ZERO, |next| next.saturating_sub(self.host.now())))
    }

    /// True if anything was applied since the last checkpoint began.
    pub(super) fn is_behind(&self) -> bool {
        self.applied_bytes.load(Ordering::Relaxed) > self.lock().begun_at
    }

    /// A checkpoint begins: what it holds was applied so far.
    pub(super) fn begin(&self) -> u64 {
        let mut progress = self.lock();
        progress.begun_at = self.applied_bytes.load(Ordering::Relaxed);
        progress.begun = Some(self.host.now());
        progress.begun_at
    }

    /// A checkpoint, which began at `bytes`, is durable.
    pub(super) fn done(&self, manifest: Manifest, bytes: u64) {
        self.lock().done.push_back((manifest.index, bytes));
        *self.lock_newest() = Some(manifest);
    }

    /// A checkpoint of another node took the place of everything. The log goes on behind it, so it
    /// counts as the first.
    pub(super) fn installed(&self, manifest: Manifest) {
        let bytes = self.begin();
        self.lock().done.clear();
        self.done(manifest, bytes);
        self.taken_over.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn foundation(&self) -> Foundation {
        Foundation {
            started_at: self.started_at,
            checkpoint: self.newest().map_or(Offset::ZERO, |newest| newest.offset()),
            taken_over: self.taken_over.load(Ordering::Relaxed),
            mended: self.mended.load(Ordering::Relaxed),
        }
    }

    /// A damaged part of the history was mended, which is `archive` now: the same records, and maybe
    /// in longer or shorter files.
    pub(super) fn mended(&self, archive: &Archive) {
        if let Some(newest) = &mut *self.lock_newest() {
            newest.archive = archive.segments();
        }
        self.mended.fetch_add(1, Ordering::Relaxed);
    }

    /// What the newest durable checkpoint is.
    pub(super) fn newest(&self) -> Option<Manifest> {
        self.lock_newest().clone()
    }

    fn lock_newest(&self) -> MutexGuard<'_, Option<Manifest>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the log may be trimmed: to a checkpoint that has a newer one after it, and with as
    /// many bytes behind it as are to be kept.
    pub(super) fn trim_to(&self) -> Option<LogIndex> {
        let mut progress = self.lock();
        let kept = self.options.pace.log_kept_bytes as u64;
        let applied = self.applied_bytes.load(Ordering::Relaxed);
        let mut trim = None;
        while progress.done.len() > 1
            && let Some((index, bytes)) = progress.done.front().copied()
            && applied - bytes >= kept
        {
            trim = Some(index);
            progress.done.pop_front();
        }
        trim
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
