use bytes::Bytes;
use catga_core::Offset;

use super::Archive;
use super::sealed::record;
use crate::segment::{Scan, SegmentError, SegmentReader};

/// Records one after the other, over the edges of segments.
#[derive(Debug)]
pub(super) struct Records {
    archive: Archive,
    /// The offset of the next.
    next: u64,
    /// The segment that is read, and the offset of its last record.
    within: Option<(SegmentReader, Scan, u64)>,
    /// After an error nothing follows: it would not be known what is missing.
    failed: bool,
}

impl Records {
    pub(super) fn new(archive: Archive, next: u64) -> Self {
        Self { archive, next: next.max(1), within: None, failed: false }
    }

    /// Opens the segment with the next record.
    fn enter(&self) -> Result<(SegmentReader, Scan, u64), SegmentError> {
        let Archive { shared, sealed, tail } = &self.archive;
        let (reader, at, end, last) = match self.archive.sealed_with(self.next) {
            Some(place) => {
                let sealed = &sealed[place];
                let reader = shared.sealed(sealed.first)?;
                let (at, _) = sealed.place(shared, &reader, self.next)?;
                let end = sealed.places_at(&reader)?;
                (reader, at, end, sealed.last)
            }
            None => {
                tail.check(shared)?;
                let missing = || shared.foreign("it has no record at that offset");
                let reader = tail.reader.clone().ok_or_else(missing)?;
                let (at, _) = tail.place(self.next).ok_or_else(missing)?;
                (reader, at, tail.end, tail.last())
            }
        };
        let scan = reader.scan_between(at, end);
        Ok((reader, scan, last))
    }

    fn step(&mut self) -> Result<(Offset, Bytes), SegmentError> {
        let (reader, mut scan, last) = match self.within.take() {
            Some(within) => within,
            None => self.enter()?,
        };
        let Some(frame) = scan.next()? else { return Err(scan.missing()) };
        let bytes = record(&reader, frame, self.next)?;
        let offset = Offset(self.next);
        if self.next < last {
            self.within = Some((reader, scan, last));
        }
        self.next += 1;
        Ok((offset, bytes))
    }
}

impl Iterator for Records {
    type Item = Result<(Offset, Bytes), SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.next > self.archive.tail.last() {
            return None;
        }
        let next = self.next;
        let step = self.step();
        if let Err(error) = &step {
            self.failed = true;
            let Archive { shared, sealed, tail } = &self.archive;
            let place = self.archive.sealed_with(next);
            shared.notes(place.map_or(tail.first, |place| sealed[place].first), error);
        }
        Some(step)
    }
}
