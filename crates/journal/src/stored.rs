//! What a replica has on disk as of its last checkpoint, and the checkpoint itself.

pub(crate) mod backups;
mod checkpoint;
mod dump;
mod incoming;
mod manifest;
mod outgoing;
mod part;
mod repair;
mod staging;
mod take_over;
mod verify;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use catga_core::{Fault, FaultCode, Offset, Position, RecordedEvent, StreamName};
use catga_engine::{RecordHead, State, StreamHead};

use crate::archive::Archive;
use crate::heads::{Changed, stream_head};
use crate::history::pages::LOOKED_AT_MAX;
use crate::index::Index;
use crate::record::Record;
use crate::segment::SegmentError;
use crate::{Filter, Page, RecordedOutcome};

pub use self::backups::{Backup, BackupError, Backups, ParseWhichError, Which, WholeBackup};
pub(crate) use self::checkpoint::{Checkpoint, Checkpoints};
pub use self::dump::{DumpedEffect, dump_history};
pub(crate) use self::manifest::Manifest;
pub(crate) use self::outgoing::PiecesOut;
pub(crate) use self::repair::Repair;
pub(crate) use self::staging::Staging;
pub use self::verify::{FileReport, verify_history};

/// All effects up to some offset, and the heads that they left.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) archive: Archive,
    pub(crate) index: Index,
}

impl Stored {
    /// The last effect that it holds.
    pub(crate) fn offset(&self) -> Offset {
        self.archive.last()
    }

    fn record(&self, offset: Offset) -> Result<Record, Fault> {
        decode(offset, self.archive.read(offset).map_err(|error| self.fault(error))?)
    }

    /// The answer of the effect at `offset`.
    pub(crate) fn outcome(&self, offset: Offset) -> Result<RecordedOutcome, Fault> {
        Ok(self.record(offset)?.outcome())
    }

    /// Adds the events of one stream to `events`, newest first.
    pub(crate) fn stream_back(
        &self,
        incarnation: u64,
        stream: &StreamName,
        events: &mut Vec<RecordedEvent>,
    ) -> Result<(), Fault> {
        let head = stream_head(&self.index, stream).map_err(storage_fault)?;
        let mut next = head.map(|head| head.offset);
        while let Some(offset) = next {
            let record = self.record(offset)?;
            next = record.before(stream);
            if next.is_some_and(|before| before >= offset) {
                return Err(unreadable(offset));
            }
            let position = Position { incarnation, partition: 0, offset };
            let own = record.events(position).rev();
            events.extend(own.filter(|event| event.meta.stream == *stream));
        }
        Ok(())
    }

    /// See [`Journal::page`](crate::Journal::page).
    pub(crate) fn page(
        &self,
        incarnation: u64,
        after: Offset,
        filter: &Filter,
        limit: usize,
    ) -> Result<Page, Fault> {
        let mut page = Page { events: Vec::new(), upto: after };
        let mut looked_at = 0;
        for next in self.archive.records_after(after) {
            let (offset, bytes) = next.map_err(|error| self.fault(error))?;
            let record = decode(offset, bytes)?;
            looked_at += record.places.len().max(1);
            let position = Position { incarnation, partition: 0, offset };
            page.events.extend(record.events(position).filter(|event| filter.wants(&event.name)));
            page.upto = offset;
            if page.events.len() >= limit || looked_at >= LOOKED_AT_MAX {
                break;
            }
        }
        Ok(page)
    }

    /// The fault of a record that could not be read.
    #[cold]
    fn fault(&self, error: SegmentError) -> Fault {
        if error.is_loss() && self.archive.damage().is_some() {
            // Which part it is was logged; callers need not know where it is kept.
            let message = "a part of the history is damaged on this node, and another node is \
                           asked for it; try again";
            return Fault::new(FaultCode::HistoryDamaged, message);
        }
        storage_fault(error)
    }

    /// Makes the index anew from the archive, which has everything that it says.
    pub(crate) async fn rebuild_index(&self) -> Result<Index, SegmentError> {
        /// How many effects' heads are collected before they are written.
        const BATCH: u64 = 100_000;
        let mut index = self.index.emptied()?;
        let mut changed = Changed::default();
        for next in self.archive.records_after(Offset::ZERO) {
            let (offset, bytes) = next?;
            let record = Record::decode(bytes).ok_or_else(|| index.foreign("a record"))?;
            changed.take(offset, &record);
            if offset.0.is_multiple_of(BATCH) {
                index = index
                    .with(Changed::newest([&std::mem::take(&mut changed)].into_iter()))
                    .await?;
            }
        }
        index.with(Changed::newest([&changed].into_iter())).await
    }
}

impl Changed {
    /// Takes the heads that a record left.
    fn take(&mut self, offset: Offset, record: &Record) {
        let effect = &record.effect;
        for (event, place) in effect.events.iter().zip(&record.places) {
            let writer = effect.attempt;
            let head = StreamHead { version: place.version, offset, writer };
            self.state.put_stream(&event.stream, head);
            event.tags.iter().for_each(|tag| self.state.put_tag(tag, offset));
        }
        for write in &effect.records {
            let head = write.value.clone().map(|value| RecordHead { offset, value });
            self.put_record(&write.key, head);
        }
    }
}

fn decode(offset: Offset, bytes: bytes::Bytes) -> Result<Record, Fault> {
    Record::decode(bytes).ok_or_else(|| unreadable(offset))
}

#[cold]
fn unreadable(offset: Offset) -> Fault {
    let message = format!("the record at offset {offset} of the history is none that this reads");
    Fault::new(FaultCode::Unreadable, message)
}

/// The fault of a file that could not be read or written.
#[cold]
pub(crate) fn storage_fault(error: SegmentError) -> Fault {
    let code = match &error {
        error if error.is_full() => FaultCode::StorageFull,
        SegmentError::Io { .. } => FaultCode::Internal,
        _ => FaultCode::Unreadable,
    };
    Fault::new(code, error.to_string())
}
