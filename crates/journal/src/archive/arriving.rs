//! A history segment on its way from another node: it is looked at while it comes.

use super::read::Read;
use super::{Sealed, TailEnd};
use crate::segment::{FileKind, SegmentError, SegmentReader};

/// What a segment must turn out to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) hash: u64,
    /// How many bytes of the file come.
    pub(crate) length: u64,
    pub(crate) is_sealed: bool,
    /// The last offset that this node holds of the segment, and the hash up to there: it must be a
    /// part of what comes, for both are the history of one log.
    pub(crate) own: Option<(u64, u64)>,
}

impl Expected {
    pub(crate) fn sealed(sealed: &Sealed) -> Self {
        let Sealed { first, last, length, hash } = *sealed;
        Self { first, last, hash, length, is_sealed: true, own: None }
    }

    pub(crate) fn tail(tail: &TailEnd) -> Self {
        let TailEnd { first, last, end, hash } = *tail;
        Self { first, last, hash, length: end, is_sealed: false, own: None }
    }
}

/// How far a segment was looked at.
#[derive(Debug)]
pub(crate) struct Arriving {
    expected: Expected,
    read: Read,
    /// Where the frames end that were found good.
    good: u64,
}

impl Arriving {
    pub(crate) fn new(expected: Expected) -> Self {
        Self { read: Read::new(expected.first), expected, good: 0 }
    }

    /// One of the same that was not looked at.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.expected)
    }

    /// Where the frames end that were found good.
    pub(crate) fn good(&self) -> u64 {
        self.good
    }

    /// Looks at the frames that have come since the last time, when `has` bytes are there.
    ///
    /// # Errors
    /// When they are not what they must be. A frame that is damaged is taken for one that has not
    /// come to its end, until all has come.
    pub(crate) fn advance(&mut self, reader: &SegmentReader, has: u64) -> Result<(), SegmentError> {
        let Expected { first, last, hash, length, is_sealed, own } = self.expected;
        debug_assert!(reader.head().kind == FileKind::History, "it was opened as one");
        if reader.head().first != first {
            let path = reader.path().to_owned();
            return Err(SegmentError::Foreign { path, what: "it is another segment" });
        }
        let mut scan = reader.scan_so_far(self.good, has);
        while self.read.next() <= last && self.read.step(reader, &mut scan)? {
            self.good = scan.at();
            let has_own = own.is_some_and(|(own, _)| self.read.next() == own + 1);
            if has_own && own.is_some_and(|(_, hash)| self.read.hash() != hash) {
                let path = reader.path().to_owned();
                let what = "this node's history has other records";
                return Err(SegmentError::Foreign { path, what });
            }
        }
        self.good = scan.at();
        if has < length {
            return Ok(());
        }
        if self.read.next() <= last {
            return Err(scan.missing());
        }
        self.read.compare(reader, hash)?;
        match is_sealed {
            true => self.read.rest(reader, reader.scan_from(self.good), length),
            false if self.read.end() == length => Ok(()),
            false => Err(reader.damaged(length, "its last record ends elsewhere")),
        }
    }
}
