//! A checkpoint: what was applied is set aside under the lock, which is short, and written down
//! behind the back of everybody else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_core::{Fault, Offset, StreamName};
use catga_engine::{Engine, MemoryState};
use catga_host::timeout;
use tokio::sync::oneshot;

use super::disk::Disk;
use super::faults;
use super::shared::{Shared, State};
use crate::heads::{Changed, stream_head};
use crate::history::History;
use crate::observed;
use crate::record::Record;
use crate::segment::SegmentError;
use crate::stored::{Manifest, Stored, storage_fault};
use crate::{LogIndex, LogSnapshot, PendingSnapshot};

/// How long a checkpoint that found no room waits before it tries again.
pub(super) const ROOM_WAIT: Duration = Duration::from_secs(1);

/// What a checkpoint writes down.
struct Job {
    /// The engine without its heads.
    engine: Engine<MemoryState>,
    index: LogIndex,
    offset: Offset,
    /// How many bytes were applied when it began.
    bytes: u64,
}

/// What one checkpoint set aside.
type Layer = (Arc<History>, Arc<Changed>);

/// Sets the state aside. When the snapshot is built, the checkpoint is durable.
pub(super) fn begin(shared: &Arc<Shared>) -> Result<PendingSnapshot, Fault> {
    let disk = shared.disk.as_ref().ok_or_else(|| Fault::internal("a checkpoint needs a disk"))?;
    let mut state = shared.write()?;
    let state = &mut *state;
    let Some(index) = state.index else {
        // Nothing was ever applied, so nothing is lost by writing nothing.
        return Ok(LogSnapshot { upto: None, data: Bytes::new() }.into());
    };
    let offset = state.engine.offset();
    let empty = History::new(shared.incarnation, offset);
    let history = Arc::new(std::mem::replace(&mut state.history, empty));
    let changed = state.engine.state_mut().freeze();
    state.frozen.push(history);
    state.frozen_heads.push(changed);
    let engine = state.engine.without_heads();
    let job = Job { engine, index, offset, bytes: disk.begin() };
    let (done, written) = oneshot::channel();
    let (host, shared) = (Arc::clone(&disk.host), Arc::clone(shared));
    let write = async move {
        let result = write(&shared, job).await;
        // Nobody has to be waiting.
        let _ = done.send(result);
    };
    drop(host.spawn_behind("checkpoint", Box::pin(write)));
    Ok(PendingSnapshot::new(Some(index), async {
        let gone = || Fault::internal("the checkpoint was given up");
        written.await.unwrap_or_else(|_| Err(gone()))
    }))
}

/// The engine as a checkpoint writes it down.
fn encoded(engine: &Engine<MemoryState>) -> Bytes {
    #[cfg(feature = "planted")]
    {
        use crate::planted::Planted;
        let mut engine = engine.clone();
        if Planted::DedupNotInSnapshot.is_here() {
            engine.forget_what_counted();
            return engine.checkpoint();
        }
        if Planted::WallNotInSnapshot.is_here() {
            engine.forget_wall();
            return engine.checkpoint();
        }
    }
    engine.checkpoint()
}

/// Writes everything that was set aside, up to what the job says.
async fn write(shared: &Shared, job: Job) -> Result<Bytes, Fault> {
    let disk = shared.disk.as_ref().ok_or_else(|| Fault::internal("a checkpoint needs a disk"))?;
    let turn = loop {
        let turn = disk.turn.lock().await;
        let is_lost =
            |state: &State| state.stored.as_ref().is_some_and(|stored| stored.archive.is_lost());
        if !shared.read(is_lost)? {
            break turn;
        }
        drop(turn);
        // What it would go on with is damaged, until another node has mended it.
        let closed = shared.applied.reach(Offset(u64::MAX));
        if let Ok(false) = timeout(&*disk.host, ROOM_WAIT, closed).await {
            return Err(faults::shutting_down());
        }
    };
    if disk.newest().is_some_and(|newest| newest.index > job.index) {
        // A snapshot was installed meanwhile. What was set aside went with the former state, and
        // whoever keeps this one knows the newer one too.
        return Ok(Bytes::new());
    }
    let (layers, stored) = shared.read(|state| state.layers(job.offset))?;
    let stored = stored.ok_or_else(|| Fault::internal("a checkpoint needs a disk"))?;
    let engine = encoded(&job.engine);
    observed::show(|observer| observer.checkpoint(&shared.node, job.index, &engine));
    let (new, manifest) = loop {
        let engine = engine.clone();
        let written =
            write_layers(&layers, &stored, (job.index, engine), disk, shared.incarnation).await;
        match written {
            Err(error) if error.is_full() => {
                // The log goes on without it, and commands are refused before that is full too.
                tracing::warn!(node = %shared.node, %error, "no room for a checkpoint; waiting");
                disk.checkpoints.remove_others(&stored);
                disk.host.sleep(ROOM_WAIT).await;
                shared.alive()?;
            }
            written => break written.map_err(storage_fault)?,
        }
    };
    let count = layers.len();
    let settled = shared.write().map(|mut state| {
        let state = &mut *state;
        let former = state.frozen.drain(..count.min(state.frozen.len())).collect::<Vec<_>>();
        state.frozen_heads.drain(..count.min(state.frozen_heads.len()));
        let heads = state.engine.state_mut().settle(count, new.index.clone());
        (former, heads, state.stored.replace(new))
    })?;
    // Taking them apart takes long; nobody waits for it at the lock.
    drop((settled, layers));
    let data = manifest.encode();
    disk.done(manifest, job.bytes);
    drop(turn);
    disk.staging.give_up(job.index).await;
    Ok(data)
}

async fn write_layers(
    layers: &[Layer],
    stored: &Stored,
    (applied, engine): (LogIndex, Bytes),
    disk: &Disk,
    incarnation: u64,
) -> Result<(Stored, Manifest), SegmentError> {
    let records = layers.iter().enumerate().flat_map(|(place, (history, _))| {
        let below = move |stream: &StreamName| last_below(&layers[..place], stored, stream);
        history.records(below)
    });
    let records = records.map(|record| record.map(Record::encode));
    let archive = stored.archive.append(records).await?;
    let index = stored.index.with(Changed::newest(layers.iter().map(|(_, changed)| &**changed)));
    let index = index.await?;
    let new = Stored { archive, index };
    let manifest = disk.checkpoints.write(incarnation, applied, engine, &new).await?;
    Ok((new, manifest))
}

/// The last effect with an event of the stream below the layers that are to follow.
fn last_below(
    layers: &[Layer],
    stored: &Stored,
    stream: &StreamName,
) -> Result<Offset, SegmentError> {
    match layers.iter().rev().find_map(|(history, _)| history.last_of(stream)) {
        Some(offset) => Ok(offset),
        None => {
            let head = stream_head(&stored.index, stream)?;
            Ok(head.map_or(Offset::ZERO, |head| head.offset))
        }
    }
}

impl State {
    /// What was set aside up to `offset`, oldest first, and what lies below it.
    fn layers(&self, offset: Offset) -> (Vec<Layer>, Option<Stored>) {
        let layers = self.frozen.iter().zip(&self.frozen_heads);
        let due = layers.take_while(|(history, _)| history.offset() <= offset);
        (due.map(|(one, other)| (one.clone(), other.clone())).collect(), self.stored.clone())
    }
}
