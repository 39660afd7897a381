use super::places::{PLACES_MAX, Places};
use super::sealed::record;
use super::{PLACES, RECORD};
use crate::rolled::rolled;
use crate::segment::{Scan, SegmentError, SegmentReader, Tail as FileEnd, frame_bytes};

/// How far the records of a segment were read, by somebody who looks at every byte.
#[derive(Debug)]
pub(super) struct Read {
    first: u64,
    places: Places,
    hash: u64,
    /// Where the last record ends.
    end: u64,
}

impl Read {
    /// Nothing, of the segment that begins with the offset `first`.
    pub(super) fn new(first: u64) -> Self {
        Self { first, places: Places::default(), hash: 0, end: 0 }
    }

    /// How many records were read.
    pub(super) fn count(&self) -> u64 {
        self.places.len()
    }

    /// The offset of the next record.
    pub(super) fn next(&self) -> u64 {
        self.first + self.count()
    }

    /// The hash over the records.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// Where the last record ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Reads the next record; false if no good frame is there.
    pub(super) fn step(
        &mut self,
        reader: &SegmentReader,
        scan: &mut Scan,
    ) -> Result<bool, SegmentError> {
        let Some(frame) = scan.next()? else { return Ok(false) };
        let at = frame.at;
        let bytes = record(reader, frame, self.next())?;
        self.places.push(at);
        self.hash = rolled(self.hash, &bytes);
        self.end = at + frame_bytes(bytes.len());
        Ok(true)
    }

    /// Reads up to the record at offset `last`.
    pub(super) fn records(
        &mut self,
        reader: &SegmentReader,
        scan: &mut Scan,
        last: u64,
    ) -> Result<(), SegmentError> {
        while self.next() <= last {
            if !self.step(reader, scan)? {
                return Err(scan.missing());
            }
        }
        Ok(())
    }

    /// # Errors
    /// When the records have another hash.
    pub(super) fn compare(&self, reader: &SegmentReader, hash: u64) -> Result<(), SegmentError> {
        if self.hash == hash {
            return Ok(());
        }
        Err(reader.damaged(self.end, "its records are not those of the checkpoint"))
    }

    /// Reads what is behind the records of a sealed segment.
    pub(super) fn rest(
        &self,
        reader: &SegmentReader,
        mut scan: Scan,
        length: u64,
    ) -> Result<(), SegmentError> {
        let mut next = self.first;
        for expected in self.places.frames(self.end) {
            let Some(frame) = scan.next()? else { return Err(scan.missing()) };
            let is_it = frame.kind == PLACES && frame.position == next;
            if !is_it || frame.payload != expected {
                return Err(reader.damaged(frame.at, "the places of records are wrong"));
            }
            next += PLACES_MAX;
        }
        let behind = scan.at();
        if let Some(frame) = scan.next()? {
            let what = if frame.kind == RECORD { "a record too many" } else { "a frame too many" };
            return Err(reader.damaged(frame.at, what));
        }
        match scan.tail()? {
            FileEnd::Sealed { end } if end == length && reader.len()? == length => Ok(()),
            FileEnd::Sealed { end } => {
                Err(reader.damaged(end.min(length), "it ends elsewhere than when it was sealed"))
            }
            _ => Err(reader.damaged(behind, "its seal is gone")),
        }
    }
}
