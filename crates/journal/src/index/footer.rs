//! The end of a table: after its blocks stand the frames of the filter, one frame with a key for
//! each block, a small one that says where that is, and the seal.
//!
//! The footer: how many changes the table has, where its blocks end, how long the filter is, the
//! hash over its blocks, all 64-bit little-endian; how many blocks there are; for each its place, in units of the alignment
//! of frames, and where its first key ends in the keys, 32-bit; and the keys.

use std::fmt;

use bytes::{Buf, BufMut, Bytes};

/// Places are kept in units of this; frames begin at multiples of it.
const UNIT: u64 = 8;

/// What stands before the lines of the blocks.
const HEAD_BYTES: usize = 36;

/// What is kept of each block beside its key.
const LINE_BYTES: usize = 8;

/// What is known of a table without reading a block.
#[derive(Clone)]
pub(super) struct Footer {
    /// How many changes it has.
    pub(super) count: u64,
    /// Where the last block ends at the latest.
    pub(super) blocks_end: u64,
    /// How long the filter is.
    pub(super) filter_bytes: u64,
    /// The hash over its blocks: two tables with the same one hold the same.
    pub(super) hash: u64,
    /// How many blocks there are.
    pub(super) blocks: usize,
    /// The lines and the keys, as they are on disk: a list of keys would take more memory.
    bytes: Bytes,
}

/// The footer of a table that is being written.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Vec<u8>,
    keys: Vec<u8>,
}

impl Lines {
    /// Adds the block that stands at `at` and begins with `key`.
    pub(super) fn push(&mut self, at: u64, key: &[u8]) {
        self.keys.extend_from_slice(key);
        self.lines.put_u32_le(number(at / UNIT));
        self.lines.put_u32_le(number(self.keys.len() as u64));
    }

    pub(super) fn footer(
        &self,
        count: u64,
        blocks_end: u64,
        filter_bytes: u64,
        hash: u64,
    ) -> Footer {
        let bytes = Bytes::from([&*self.lines, &*self.keys].concat());
        let blocks = self.lines.len() / LINE_BYTES;
        Footer { count, blocks_end, filter_bytes, hash, blocks, bytes }
    }
}

fn number(value: u64) -> u32 {
    u32::try_from(value).expect("a table is far below 32 GiB, and its keys below 4 GiB")
}

impl Footer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.bytes.len());
        bytes.put_u64_le(self.count);
        bytes.put_u64_le(self.blocks_end);
        bytes.put_u64_le(self.filter_bytes);
        bytes.put_u64_le(self.hash);
        bytes.put_u32_le(number(self.blocks as u64));
        bytes.put_slice(&self.bytes);
        bytes
    }

    /// None if the bytes are no footer.
    pub(super) fn decode(mut bytes: Bytes) -> Option<Self> {
        let count = bytes.try_get_u64_le().ok()?;
        let blocks_end = bytes.try_get_u64_le().ok()?;
        let filter_bytes = bytes.try_get_u64_le().ok()?;
        let hash = bytes.try_get_u64_le().ok()?;
        let blocks = bytes.try_get_u32_le().ok()? as usize;
        let keys = bytes.len().checked_sub(blocks.checked_mul(LINE_BYTES)?)?;
        let footer = Self { count, blocks_end, filter_bytes, hash, blocks, bytes };
        let mut before = (0, 0);
        for block in 0..blocks {
            let line @ (at, key_end) = footer.line(block);
            if at <= before.0 || key_end < before.1 || key_end > keys {
                return None;
            }
            before = line;
        }
        (before.0 < blocks_end.max(1) && before.1 == keys).then_some(footer)
    }

    /// How many bytes of memory it takes.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Where a block begins, and where it ends at the latest.
    pub(super) fn place(&self, block: usize) -> (u64, u64) {
        let next = block + 1;
        let end = if next < self.blocks { self.line(next).0 } else { self.blocks_end };
        (self.line(block).0, end)
    }

    /// The first key of a block.
    pub(super) fn key(&self, block: usize) -> &[u8] {
        let start = block.checked_sub(1).map_or(0, |before| self.line(before).1);
        let keys = &self.bytes[self.blocks * LINE_BYTES..];
        &keys[start..self.line(block).1]
    }

    /// Which block has `key`, if one has; none if it is below all.
    pub(super) fn block_with(&self, key: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.blocks);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle) <= key { low = middle + 1 } else { high = middle }
        }
        low.checked_sub(1)
    }

    fn line(&self, block: usize) -> (u64, usize) {
        let mut line = &self.bytes[block * LINE_BYTES..];
        (u64::from(line.get_u32_le()) * UNIT, line.get_u32_le() as usize)
    }
}

impl fmt::Debug for Footer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Footer")
            .field("count", &self.count)
            .field("blocks", &self.blocks)
            .finish_non_exhaustive()
    }
}
