use std::sync::Arc;

use super::filter::{self, Filter};
use super::footer::Lines;
use super::shared::Shared;
use super::table::{BLOCK, FILTER, FILTER_PIECE, FOOTER, TRAILER, Table};
use super::{TableName, block};
use crate::rolled::rolled;
use crate::segment::{FileKind, Head, SYNC_BYTES, SegmentError, SegmentWriter, frame_bytes};

/// A block ends with the change by which it has this many bytes: little enough to be read for one
/// key, and enough that the keys of all blocks fit into memory.
const BLOCK_BYTES: usize = 16 << 10;

/// The least that can be reserved for a new file.
const HEAD_ONLY: u64 = 64;

/// A table that is being written.
#[derive(Debug)]
pub(super) struct Build {
    name: TableName,
    writer: SegmentWriter,
    block: Vec<u8>,
    /// The first key of the block.
    first_key: Vec<u8>,
    lines: Lines,
    /// Where the last block ends.
    blocks_end: u64,
    blocks: u64,
    /// Over the blocks.
    hash: u64,
    filter: Filter,
    count: u64,
}

impl Build {
    /// Makes the file of a table for at most `keys` keys.
    pub(super) fn create(shared: &Shared, keys: u64) -> Result<Self, SegmentError> {
        let (name, writer) = loop {
            let name = shared.fresh();
            // The file is new, and so is its number: nothing else can be found in it.
            let head = Head { kind: FileKind::Index, first: name.0, salt: name.0, note: 0 };
            let path = shared.path(name);
            match SegmentWriter::create(&*shared.files, &path, head, HEAD_ONLY) {
                // Another index in the directory was there before.
                Err(error) if error.is_taken() => {}
                made => break (name, made?),
            }
        };
        Ok(Self {
            name,
            blocks_end: writer.end(),
            writer,
            block: Vec::new(),
            first_key: Vec::new(),
            lines: Lines::default(),
            blocks: 0,
            hash: 0,
            filter: Filter::with_room_for(keys),
            count: 0,
        })
    }

    pub(super) fn name(&self) -> TableName {
        self.name
    }

    /// Adds the change with the next greater key.
    pub(super) fn push(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), SegmentError> {
        if self.block.is_empty() {
            self.first_key.clear();
            self.first_key.extend_from_slice(key);
        }
        block::put(&mut self.block, key, value);
        self.filter.put(filter::hash(key));
        self.count += 1;
        if self.block.len() >= BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> Result<(), SegmentError> {
        let at = self.writer.push(BLOCK, self.blocks, &[&self.block]);
        self.lines.push(at, &self.first_key);
        self.hash = rolled(self.hash, &self.block);
        self.blocks_end = at + frame_bytes(self.block.len());
        self.blocks += 1;
        self.block.clear();
        Ok(())
    }

    /// True if so much is not durable yet that it should be made so: it waits in memory until then.
    pub(super) fn is_sync_due(&self) -> bool {
        self.blocks_end - self.writer.end() >= SYNC_BYTES
    }

    /// Makes durable what was added so far.
    pub(super) async fn sync(&mut self) -> Result<(), SegmentError> {
        self.writer.write()?;
        self.writer.sync().await
    }

    /// Writes the rest. The table is durable when it returns, but its name is not. None if nothing
    /// was added; the file is removed then.
    pub(super) async fn finish(
        mut self,
        shared: &Shared,
    ) -> Result<Option<Arc<Table>>, SegmentError> {
        if self.count == 0 {
            self.discard(shared);
            return Ok(None);
        }
        match self.write_end().await {
            Ok(table) => Ok(Some(Arc::new(table))),
            Err(error) => {
                self.discard(shared);
                Err(error)
            }
        }
    }

    async fn write_end(&mut self) -> Result<Table, SegmentError> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        self.writer.write()?;
        for (piece, number) in self.filter.as_bytes().chunks(FILTER_PIECE).zip(0..) {
            self.writer.push(FILTER, number, &[piece]);
            self.writer.write()?;
            self.writer.sync().await?;
        }
        let filter_bytes = self.filter.as_bytes().len() as u64;
        let footer = self.lines.footer(self.count, self.blocks_end, filter_bytes, self.hash);
        let place = self.writer.push(FOOTER, 0, &[&footer.encode()]);
        self.writer.push(TRAILER, 0, &[&place.to_le_bytes()]);
        self.writer.write()?;
        self.writer.seal()?;
        self.writer.sync().await?;
        let (reader, bytes) = (self.writer.reader().clone(), self.writer.end());
        let filter = std::mem::replace(&mut self.filter, Filter::with_room_for(0));
        Ok(Table::new(self.name, reader, bytes, footer, filter))
    }

    /// Gives back the room that it took.
    pub(super) fn discard(&self, shared: &Shared) {
        // If that fails, it is removed with others that no checkpoint names.
        let _ = shared.files.remove(&shared.path(self.name));
    }
}
