use bytes::Bytes;

use super::places::{PLACES_MAX, all_places_bytes, place_in, places_frame_bytes};
use super::read::Read;
use super::shared::Shared;
use super::{PLACES, RECORD};
use crate::segment::{Frame, SegmentError, SegmentReader, frame_bytes};

/// A segment that gets no more records. This is all that is kept of it in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// How long the file is. Not the same on all nodes, as the records came in batches.
    pub(crate) length: u64,
    /// The hash over its records, which is the same on all nodes.
    pub(crate) hash: u64,
}

impl Sealed {
    fn count(&self) -> u64 {
        self.last - self.first + 1
    }

    /// Where the frames of places begin: behind them is only the seal.
    ///
    /// # Errors
    /// When the file is too short for them.
    pub(super) fn places_at(&self, reader: &SegmentReader) -> Result<u64, SegmentError> {
        let behind = all_places_bytes(self.count()) + frame_bytes(0);
        let at = self.length.checked_sub(behind).filter(|at| *at >= reader.start());
        at.ok_or_else(|| reader.damaged(self.length, "it is too short for its records"))
    }

    /// Looks at its head and its length; gives it as it is. Where it has another length, all of it
    /// is read: a file with the same records that came from another node may stand there.
    pub(super) fn check(&self, shared: &Shared) -> Result<Self, SegmentError> {
        let reader = shared.open(self.first)?;
        let length = reader.len()?;
        let this = Self { length, ..*self };
        if length != self.length && this.read_through(&reader).is_err() {
            let at = length.min(self.length);
            return Err(reader.damaged(at, "it has another length than when it was sealed"));
        }
        this.places_at(&reader).map(|_| this)
    }

    /// Reads all of it.
    pub(super) fn read_through(&self, reader: &SegmentReader) -> Result<(), SegmentError> {
        let mut read = Read::new(self.first);
        let mut scan = reader.scan();
        read.records(reader, &mut scan, self.last)?;
        read.compare(reader, self.hash)?;
        read.rest(reader, scan, self.length)
    }

    /// Where the record at `offset` begins, and where it ends at the latest.
    pub(super) fn place(
        &self,
        shared: &Shared,
        reader: &SegmentReader,
        offset: u64,
    ) -> Result<(u64, u64), SegmentError> {
        let index = offset - self.first;
        let before = index / PLACES_MAX * PLACES_MAX;
        let at = self.places_at(reader)? + all_places_bytes(before);
        let wrong = || reader.damaged(at, "the places of records are wrong");
        let payload = shared.places(self.first + before, || {
            let bytes = places_frame_bytes((self.count() - before).min(PLACES_MAX));
            let frame = reader.read_within(at, bytes as usize)?;
            let own = frame.kind == PLACES && frame.position == self.first + before;
            if own { Ok(frame.payload) } else { Err(wrong()) }
        })?;
        place_in(&payload, index - before).filter(|(_, end)| *end <= at).ok_or_else(wrong)
    }

    /// The record at `offset`, which it has: one small read, and another if the places around it
    /// were not asked for lately.
    pub(super) fn read(&self, shared: &Shared, offset: u64) -> Result<Bytes, SegmentError> {
        let reader = shared.sealed(self.first)?;
        let (at, end) = self.place(shared, &reader, offset)?;
        record(&reader, reader.read_within(at, (end - at) as usize)?, offset)
    }
}

/// What `frame` holds, if it is the record at `offset`.
pub(super) fn record(
    reader: &SegmentReader,
    frame: Frame,
    offset: u64,
) -> Result<Bytes, SegmentError> {
    if frame.kind != RECORD || frame.position != offset {
        return Err(reader.damaged(frame.at, "another record stands there"));
    }
    Ok(frame.payload)
}
