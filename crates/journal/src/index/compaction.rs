//! How a change becomes a table, and how much is merged with it.
//!
//! A checkpoint waits for this, and while it waits memory fills. So each change does a bounded
//! amount of work: it writes its own table; it merges what is due and can be merged to the end
//! within [`work`], eight times the change's own size or 64 MiB; and what then remains of it, at
//! least four times the change, goes into one large merge, which goes on with the next change from
//! where it is. A change is written again about once for each tier, and there are six between the
//! smallest tables and the largest that may be; so the work that a change brings is done before
//! the next ones have brought as much again. What a crash leaves of the large merge is begun anew.

use std::ops::Range;
use std::sync::Arc;

use super::build::Build;
use super::merge::Merge;
use super::shared::Shared;
use super::table::Table;
use super::{Change, Options, tiers};
use crate::segment::SegmentError;

/// How many bytes are merged beside a change of `bytes` bytes.
fn work(shared: &Shared, bytes: u64) -> u64 {
    let Options { work_bytes, work_times, .. } = shared.options;
    work_bytes.max(work_times * bytes)
}

/// The tables of an index, newest first, that has those of `tables` and then `changes`.
pub(super) async fn add(
    shared: &Shared,
    tables: &[Arc<Table>],
    changes: Vec<Change>,
) -> Result<Vec<Arc<Table>>, SegmentError> {
    let mut tables = tables.to_vec();
    let change = table_of(shared, changes, tables.is_empty()).await?;
    let bytes = change.as_ref().map_or(0, |table| table.bytes);
    tables.splice(0..0, change);
    let mut running = shared.take_running();
    let merged = merge(shared, &mut tables, &mut running, bytes).await;
    shared.set_running(running);
    match merged {
        Err(error) if error.is_full() => {
            // The change itself is written: that there are more tables only costs time.
            tracing::warn!(%error, "no room to merge tables of the index; later");
        }
        merged => merged?,
    }
    let synced = shared.files.sync_dir(&shared.dir).await;
    synced.map_err(|error| SegmentError::io(&shared.dir, error))?;
    Ok(tables)
}

/// Writes a change as a table; none if it changes nothing.
async fn table_of(
    shared: &Shared,
    changes: Vec<Change>,
    is_lowest: bool,
) -> Result<Option<Arc<Table>>, SegmentError> {
    if changes.is_empty() {
        return Ok(None);
    }
    debug_assert!(changes.is_sorted_by(|(one, _), (next, _)| one < next), "sorted, each key once");
    let mut build = Build::create(shared, changes.len() as u64)?;
    let kept = changes.iter().filter(|(_, value)| value.is_some() || !is_lowest);
    for (key, value) in kept {
        let mut pushed = build.push(key, value.as_deref());
        if pushed.is_ok() && build.is_sync_due() {
            pushed = build.sync().await;
        }
        if let Err(error) = pushed {
            build.discard(shared);
            return Err(error);
        }
    }
    build.finish(shared).await
}

/// Merges what is due, as much as a change of `bytes` bytes allows.
async fn merge(
    shared: &Shared,
    tables: &mut Vec<Arc<Table>>,
    running: &mut Option<Merge>,
    bytes: u64,
) -> Result<(), SegmentError> {
    let mut work = work(shared, bytes);
    loop {
        // One whose inputs are not here is of a change that did not count.
        if let Some(lost) = running.take_if(|merge| place(tables, merge.inputs()).is_none()) {
            lost.discard(shared);
        }
        let busy = running.as_ref().and_then(|merge| place(tables, merge.inputs()));
        let Some(group) = tiers::due(tables, shared.options.tier_bytes, busy.as_ref()) else {
            break;
        };
        let cost = tiers::bytes(&tables[group.clone()]);
        let is_lowest = group.end == tables.len();
        if !has_room(shared, cost) {
            break;
        }
        if cost <= work {
            let merge = Merge::start(shared, &tables[group.clone()], is_lowest)?;
            let whole = run(shared, merge, u64::MAX).await?;
            if let Step::Done(merged) = whole {
                tables.splice(group, merged);
            }
            work -= cost;
        } else if running.is_none() {
            *running = Some(Merge::start(shared, &tables[group], is_lowest)?);
        } else {
            break;
        }
    }
    let Some(merge) = running.take() else { return Ok(()) };
    let Some(group) = place(tables, merge.inputs()) else { return Ok(()) };
    match run(shared, merge, work.max(4 * bytes)).await? {
        Step::Done(merged) => _ = tables.splice(group, merged),
        Step::More(merge) => *running = Some(*merge),
    }
    Ok(())
}

enum Step {
    Done(Option<Arc<Table>>),
    More(Box<Merge>),
}

/// Merges about `bytes` bytes. On an error nothing is left of the merge.
async fn run(shared: &Shared, mut merge: Merge, bytes: u64) -> Result<Step, SegmentError> {
    match merge.advance(bytes).await {
        Ok(true) => Ok(Step::Done(merge.finish(shared).await?)),
        Ok(false) => Ok(Step::More(Box::new(merge))),
        Err(error) => {
            merge.discard(shared);
            Err(error)
        }
    }
}

/// Where `inputs` are among `tables`; none if they are not.
fn place(tables: &[Arc<Table>], inputs: &[Arc<Table>]) -> Option<Range<usize>> {
    let first = inputs.first()?.name();
    let start = tables.iter().position(|table| table.name() == first)?;
    let range = start..start + inputs.len();
    let found = tables.get(range.clone())?;
    let is_all = found.iter().zip(inputs).all(|(one, other)| one.name() == other.name());
    is_all.then_some(range)
}

/// True if a merge that takes so much leaves as much again to others: the log needs it more.
fn has_room(shared: &Shared, bytes: u64) -> bool {
    // A machine that cannot say how much room there is refuses when there is none.
    let space = shared.files.space(&shared.dir).unwrap_or(u64::MAX);
    space >= bytes.saturating_mul(2)
}
