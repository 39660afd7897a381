//! The archive: one record for each effect, by offset, for ever.
//!
//! Records stand in segments, files of a bounded size that are cut where the records say, so that
//! all nodes have the same ones. A sealed segment ends with the [places] of its records;
//! those of the last one, which still grows, are in memory. So what is kept in memory grows with
//! the number of segments, and not with that of records.
//!
//! An archive is a value: to append gives a new one, and the old one goes on to be readable. Which
//! of them counts is the business of the checkpoint that holds its [manifest].

mod append;
pub(crate) mod arriving;
mod damage;
mod manifest;
mod mend;
mod places;
mod read;
mod records;
mod sealed;
mod shared;
mod tail;
pub(crate) mod verify;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use catga_core::Offset;
use catga_host::Files;

use self::records::Records;
use self::shared::Shared;
use self::tail::Tail;
use crate::segment::{FrameKind, SegmentError, frame_bytes};

pub(crate) use self::damage::Damage;
pub(crate) use self::manifest::{Manifest, TailEnd};
pub(crate) use self::sealed::Sealed;
pub(crate) use self::shared::segment_path;

/// A frame with one record; its position is the record's offset.
const RECORD: FrameKind = FrameKind::OWNER;

/// A frame with the places of some records; its position is the first one's offset.
const PLACES: FrameKind = FrameKind(FrameKind::OWNER.0 + 1);

/// How an archive is laid out.
#[derive(Clone, Debug)]
pub(crate) struct ArchiveOptions {
    /// A segment ends with the record by which its records' frames have this many bytes. The same
    /// on all nodes.
    pub(crate) segment_bytes: u64,
    /// Who is told of damaged segments, and mends them. Where nobody does, an archive with one that
    /// shows when it is opened is not opened.
    pub(crate) damage: Option<Arc<Damage>>,
}

impl Default for ArchiveOptions {
    fn default() -> Self {
        // Few enough files in a large history; a tail that is read quickly at a start.
        Self { segment_bytes: 64 << 20, damage: None }
    }
}

/// All records up to some offset.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    shared: Arc<Shared>,
    /// Oldest first, without a gap from offset 1.
    sealed: Arc<Vec<Sealed>>,
    /// Goes on where those end.
    tail: Tail,
}

impl Archive {
    /// An archive without records in the directory `dir`.
    pub(crate) fn empty(files: Arc<dyn Files>, dir: PathBuf, options: ArchiveOptions) -> Self {
        let shared = Arc::new(Shared::new(files, dir, options));
        Self { shared, sealed: Arc::default(), tail: Tail::before(1) }
    }

    /// The archive of which `manifest` was taken. Looks at the head and the length of each sealed
    /// segment, and reads all of the last one.
    ///
    /// # Errors
    /// When something of it is missing or damaged, and nobody mends it.
    pub(crate) fn open(
        files: Arc<dyn Files>,
        dir: PathBuf,
        options: ArchiveOptions,
        manifest: &Bytes,
    ) -> Result<Self, SegmentError> {
        let shared = Arc::new(Shared::new(files, dir, options));
        let manifest = Manifest::decode(manifest.clone());
        let manifest = manifest.ok_or_else(|| shared.foreign("its manifest cannot be read"))?;
        let sealed = manifest.sealed.iter().map(|sealed| match sealed.check(&shared) {
            Err(error) if shared.notes(sealed.first, &error) => Ok(*sealed),
            checked => checked,
        });
        let sealed = sealed.collect::<Result<Vec<_>, _>>()?;
        let tail = match Tail::open(&shared, &manifest.tail) {
            Err(error) if shared.notes(manifest.tail.first, &error) => Tail::lost(&manifest.tail),
            opened => opened?,
        };
        Ok(Self { shared, sealed: Arc::new(sealed), tail })
    }

    /// What [`open`](Self::open) needs to open it again.
    pub(crate) fn manifest(&self) -> Bytes {
        self.segments().encode()
    }

    /// What it consists of.
    pub(crate) fn segments(&self) -> Manifest {
        Manifest { sealed: self.sealed.to_vec(), tail: self.tail.end_of() }
    }

    /// The offset of the last record; zero if there is none.
    pub(crate) fn last(&self) -> Offset {
        Offset(self.tail.last())
    }

    /// The record at `offset`.
    ///
    /// # Errors
    /// When it is damaged, cannot be read, or there is none.
    pub(crate) fn read(&self, offset: Offset) -> Result<Bytes, SegmentError> {
        let (first, record) = match self.sealed_with(offset.0) {
            Some(place) => {
                let sealed = self.sealed[place];
                (sealed.first, sealed.read(&self.shared, offset.0))
            }
            None => (self.tail.first, self.tail.read(&self.shared, offset.0)),
        };
        record.inspect_err(|error| _ = self.shared.notes(first, error))
    }

    /// All records after `offset`, in order, read in large pieces.
    pub(crate) fn records_after(
        &self,
        offset: Offset,
    ) -> impl Iterator<Item = Result<(Offset, Bytes), SegmentError>> + use<> {
        Records::new(self.clone(), offset.0 + 1)
    }

    /// Adds records behind the last one. They are durable when it returns.
    ///
    /// # Errors
    /// The first of `records`, or when the machine refuses, as for want of room. This archive is as
    /// it was, and may be appended to again.
    ///
    /// # Cancel safety
    /// As after an error.
    pub(crate) async fn append(
        &self,
        records: impl Iterator<Item = Result<Bytes, SegmentError>>,
    ) -> Result<Self, SegmentError> {
        append::append(self, records).await
    }

    /// Removes the segments that this archive does not have: what is left of records that were
    /// appended and never came into a checkpoint.
    pub(crate) fn remove_others(&self) -> io::Result<()> {
        let is_own = |first: u64| {
            let sealed = self.sealed.binary_search_by_key(&first, |sealed| sealed.first);
            sealed.is_ok() || first == self.tail.first && self.tail.end > 0
        };
        for first in self.shared.segments()? {
            if !is_own(first) {
                self.shared.remove(first)?;
            }
        }
        Ok(())
    }

    /// Which sealed segment has the record; none if it is not in one.
    fn sealed_with(&self, offset: u64) -> Option<usize> {
        let after = self.sealed.partition_point(|sealed| sealed.first <= offset);
        let place = after.checked_sub(1)?;
        (offset <= self.sealed[place].last).then_some(place)
    }
}

/// How much of a segment a record of `len` bytes takes. It follows from the record alone.
fn weight(len: usize) -> u64 {
    frame_bytes(len)
}
