use bytes::Bytes;

use super::places::Places;
use super::sealed::record;
use super::shared::Shared;
use super::{TailEnd, weight};
use crate::rolled::rolled;
use crate::segment::{SegmentError, SegmentReader, frame_bytes};

/// The last segment: it gets the next record.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    pub(super) first: u64,
    /// The byte at which its last record ends; zero as long as there is no file. What stands
    /// behind is of records that never came into a checkpoint.
    pub(super) end: u64,
    /// The hash over its records.
    pub(super) hash: u64,
    /// What its records weigh.
    pub(super) weight: u64,
    pub(super) places: Places,
    pub(super) reader: Option<SegmentReader>,
    /// Its last offset, where the file is damaged: nothing of it can be read or added then.
    lost: Option<u64>,
}

impl Tail {
    /// One without records, for the record at `first`.
    pub(super) fn before(first: u64) -> Self {
        let places = Places::default();
        Self { first, end: 0, hash: 0, weight: 0, places, reader: None, lost: None }
    }

    /// One whose file is damaged.
    pub(super) fn lost(known: &TailEnd) -> Self {
        let TailEnd { first, last, end, hash } = *known;
        Self { end, hash, lost: Some(last), ..Self::before(first) }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Reads it up to the record that a manifest has as its last.
    ///
    /// Where that ends does not count: records are in batches, and so are elsewhere in a file of
    /// the same records that came from another node. One may stand in this one's place if the node
    /// stopped while it took over another's state.
    pub(super) fn open(shared: &Shared, known: &TailEnd) -> Result<Self, SegmentError> {
        let mut tail = Self::before(known.first);
        if known.end == 0 {
            return Ok(tail);
        }
        let reader = shared.open(known.first)?;
        let mut scan = reader.scan();
        while tail.last() < known.last {
            let Some(frame) = scan.next()? else { return Err(scan.missing()) };
            let at = frame.at;
            let bytes = record(&reader, frame, tail.last() + 1)?;
            tail.push(at, &bytes);
        }
        if tail.hash != known.hash {
            return Err(reader.damaged(tail.end, "its records are not those of the checkpoint"));
        }
        tail.reader = Some(reader);
        Ok(tail)
    }

    /// Notes the record that stands at `at`.
    pub(super) fn push(&mut self, at: u64, record: &[u8]) {
        self.places.push(at);
        self.weight += weight(record.len());
        self.hash = rolled(self.hash, record);
        self.end = at + frame_bytes(record.len());
    }

    /// The offset of its last record; that before the first if it has none.
    pub(super) fn last(&self) -> u64 {
        self.lost.unwrap_or(self.first - 1 + self.places.len())
    }

    /// What a manifest says of it.
    pub(super) fn end_of(&self) -> TailEnd {
        TailEnd { first: self.first, last: self.last(), end: self.end, hash: self.hash }
    }

    /// Where the record at `offset` begins, and where it ends at the latest; none if it has no
    /// such record.
    pub(super) fn place(&self, offset: u64) -> Option<(u64, u64)> {
        let index = offset.checked_sub(self.first)?;
        let at = self.places.get(index)?;
        Some((at, self.places.get(index + 1).unwrap_or(self.end)))
    }

    pub(super) fn read(&self, shared: &Shared, offset: u64) -> Result<Bytes, SegmentError> {
        self.check(shared)?;
        let (Some(reader), Some((at, end))) = (&self.reader, self.place(offset)) else {
            return Err(shared.foreign("it has no record at that offset"));
        };
        record(reader, reader.read_within(at, (end - at) as usize)?, offset)
    }

    /// # Errors
    /// When it is lost.
    pub(super) fn check(&self, shared: &Shared) -> Result<(), SegmentError> {
        let damaged = || {
            let what = "another node is asked for it";
            Err(SegmentError::Damaged { path: shared.path(self.first), at: 0, what })
        };
        if self.is_lost() { damaged() } else { Ok(()) }
    }
}
