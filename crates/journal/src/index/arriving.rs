//! A table on its way from another node: it is looked at while it comes.

use std::path::Path;

use catga_host::File;

use super::table::{BLOCK, Table};
use super::{TableMark, TableName};
use crate::rolled::rolled;
use crate::segment::{SegmentError, SegmentReader, set_first};

/// How far a table was looked at.
#[derive(Debug)]
pub(crate) struct Arriving {
    expected: TableMark,
    blocks: u64,
    hash: u64,
    /// Where the frames end that were found good.
    good: u64,
}

impl Arriving {
    pub(crate) fn new(expected: TableMark) -> Self {
        Self { expected, blocks: 0, hash: 0, good: 0 }
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
        let mut scan = reader.scan_so_far(self.good, has);
        while let Some(frame) = scan.next()? {
            if frame.kind == BLOCK {
                if frame.position != self.blocks {
                    return Err(reader.damaged(frame.at, "another block stands there"));
                }
                self.hash = rolled(self.hash, &frame.payload);
                self.blocks += 1;
            }
            self.good = scan.at();
        }
        self.good = scan.at();
        if has < self.expected.length {
            return Ok(());
        }
        if self.good < has {
            return Err(scan.missing());
        }
        // What it is called here is decided when it is taken over.
        let TableMark { length, hash, .. } = Table::of(reader.clone())?.mark();
        let is_it = (length, hash) == (self.expected.length, self.expected.hash);
        match is_it && hash == self.hash {
            true => Ok(()),
            false => Err(reader.damaged(has, "it is another table")),
        }
    }
}

/// Gives the table in `file` another name: it got the one that it has from another node. To be
/// synced.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn rename(file: &dyn File, path: &Path, name: TableName) -> Result<(), SegmentError> {
    set_first(file, path, name.0)
}
