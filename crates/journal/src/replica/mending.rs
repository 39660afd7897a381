//! What is damaged of the history is put right with what another node has of it.

use std::sync::Arc;

use catga_core::Fault;
use catga_host::BoxFuture;

use super::pieces::{ReplicaPieces, disk};
use super::shared::Shared;
use crate::stored::{Repair, Stored, storage_fault};
use crate::{HistoryPart, HistorySegment, Incoming, Mending, PiecePlace};

impl Mending for ReplicaPieces {
    fn noticed(&self) -> BoxFuture<'_, ()> {
        let shared = self.shared();
        Box::pin(async move {
            match shared.as_ref().ok().and_then(|shared| shared.disk.as_ref()) {
                Some(disk) => disk.checkpoints.damage_noticed().await,
                None => std::future::pending().await,
            }
        })
    }

    fn scrub(&self, after: u64) -> Option<u64> {
        stored(&*self.shared().ok()?).ok()?.archive.scrub(after)
    }

    fn damaged(&self) -> Vec<HistorySegment> {
        let stored = self.shared().and_then(|shared| stored(&shared));
        let Ok(stored) = stored else { return Vec::new() };
        let damage = stored.archive.damage().map(|damage| damage.segments());
        let segments = damage.unwrap_or_default().into_iter();
        segments.filter_map(|first| stored.archive.segment(first)).collect()
    }

    fn part(
        &self,
        segment: &HistorySegment,
        offset: u64,
        bytes: usize,
    ) -> Result<Option<HistoryPart>, Fault> {
        let stored = stored(&*self.shared()?)?;
        stored.archive.part_of(segment, offset, bytes).map_err(storage_fault)
    }

    fn is_behind(&self, last: u64) -> bool {
        let Ok(shared) = self.shared() else { return false };
        let stored = stored(&shared).map_or(last, |stored| stored.offset().0);
        shared.applied.get().0 >= last && stored < last
    }

    fn mend(&self, segment: &HistorySegment, length: u64) -> Result<Box<dyn Incoming>, Fault> {
        let shared = self.shared()?;
        let repair = Repair::begin(&disk(&shared)?.checkpoints, segment, length);
        let repair = Some(repair.map_err(storage_fault)?);
        Ok(Box::new(Mend { shared, segment: *segment, repair }))
    }
}

/// A damaged segment, and what has come of it from another node.
struct Mend {
    shared: Arc<Shared>,
    segment: HistorySegment,
    /// None once it is in its place.
    repair: Option<Repair>,
}

impl Mend {
    async fn put_in_place(&self, repair: Repair) -> Result<(), Fault> {
        let disk = disk(&self.shared)?;
        // The archive is not appended to meanwhile.
        let _turn = disk.turn.lock().await;
        let current = stored(&self.shared)?;
        if current.archive.segment(self.segment.first) != Some(self.segment) {
            // A snapshot took its place.
            return repair.give_up().map_err(storage_fault);
        }
        repair.put_in_place().await.map_err(storage_fault)?;
        let archive = current.archive.mended(self.segment.first).map_err(storage_fault)?;
        disk.mended(&archive);
        self.shared.write()?.stored = Some(Stored { archive, index: current.index });
        let HistorySegment { first, last, .. } = self.segment;
        tracing::info!(node = %self.shared.node, first, last, "a part of the history was mended");
        Ok(())
    }
}

impl Incoming for Mend {
    fn wanted(&self) -> Option<PiecePlace> {
        let repair = self.repair.as_ref()?;
        Some(PiecePlace { piece: 0, offset: repair.has() })
    }

    fn take<'a>(&'a mut self, at: PiecePlace, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            if self.wanted() != Some(at) {
                return Ok(());
            }
            let Some(mut repair) = self.repair.take() else { return Ok(()) };
            let pushed = repair.push(bytes).map_err(storage_fault);
            match pushed {
                Ok(true) => self.put_in_place(repair).await,
                Ok(false) => {
                    self.repair = Some(repair);
                    Ok(())
                }
                Err(fault) => {
                    // What came is of no use to the next attempt.
                    repair.give_up().map_err(storage_fault)?;
                    Err(fault)
                }
            }
        })
    }
}

fn stored(shared: &Shared) -> Result<Stored, Fault> {
    let stored = shared.read(|state| state.stored.clone())?;
    stored.ok_or_else(|| Fault::internal("there is no history on disk"))
}
