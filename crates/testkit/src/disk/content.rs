use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

/// How many bytes room is given out in.
pub(super) const BLOCK: u64 = 4096;

type Block = [u8; BLOCK as usize];

/// What a file holds: blocks, where something was written; elsewhere it is zero.
///
/// Clones share the blocks until one of them is written, so that a thousand images of a large file
/// cost little more than one.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: u64,
    blocks: Arc<BTreeMap<u64, Arc<Block>>>,
    /// How many blocks from the beginning have room of their own, written or not.
    reserved: u64,
    /// How many blocks take room: the reserved ones, and those that were written behind them.
    used: u64,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// How much room it takes.
    pub(super) fn used_bytes(&self) -> u64 {
        self.used * BLOCK
    }

    /// Fills `buffer`, or gives back false if the file ends before.
    pub(super) fn read(&self, buffer: &mut [u8], at: u64) -> bool {
        if at.checked_add(buffer.len() as u64).is_none_or(|end| end > self.len) {
            return false;
        }
        buffer.fill(0);
        for (number, from, piece) in pieces(at, buffer.len()) {
            if let Some(block) = self.blocks.get(&number) {
                let len = piece.len();
                buffer[piece].copy_from_slice(&block[from..from + len]);
            }
        }
        true
    }

    /// Writes `data`; the file grows where it must.
    pub(super) fn write(&mut self, data: &[u8], at: u64) {
        if data.is_empty() {
            return;
        }
        let blocks = Arc::make_mut(&mut self.blocks);
        for (number, from, piece) in pieces(at, data.len()) {
            let block = blocks.entry(number).or_insert_with(|| {
                self.used += u64::from(number >= self.reserved);
                Arc::new([0; BLOCK as usize])
            });
            let len = piece.len();
            Arc::make_mut(block)[from..from + len].copy_from_slice(&data[piece]);
        }
        self.len = self.len.max(at + data.len() as u64);
    }

    /// How many of `len` bytes can be written at `at` when `free_bytes` more of room are there.
    pub(super) fn fitting(&self, at: u64, len: usize, free_bytes: u64) -> usize {
        let mut free = free_bytes / BLOCK;
        for (number, _, piece) in pieces(at, len) {
            if number >= self.reserved && !self.blocks.contains_key(&number) {
                if free == 0 {
                    return piece.start;
                }
                free -= 1;
            }
        }
        len
    }

    /// How much more room the first `len` bytes need.
    pub(super) fn missing_bytes(&self, len: u64) -> u64 {
        let wanted = len.div_ceil(BLOCK);
        if wanted <= self.reserved {
            return 0;
        }
        let there = self.blocks.range(self.reserved..wanted).count() as u64;
        (wanted - self.reserved - there) * BLOCK
    }

    /// Makes it at least `len` long, with room for all of it.
    pub(super) fn allocate(&mut self, len: u64) {
        self.used += self.missing_bytes(len) / BLOCK;
        self.reserved = self.reserved.max(len.div_ceil(BLOCK));
        self.len = self.len.max(len);
    }

    /// Makes it at least `len` long.
    pub(super) fn lengthen(&mut self, len: u64) {
        self.len = self.len.max(len);
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let kept = len.div_ceil(BLOCK);
            let blocks = Arc::make_mut(&mut self.blocks);
            blocks.split_off(&kept);
            // What is behind the end must read as zero if the file grows again.
            if !len.is_multiple_of(BLOCK)
                && let Some(last) = blocks.get_mut(&(kept - 1))
            {
                Arc::make_mut(last)[(len % BLOCK) as usize..].fill(0);
            }
            self.reserved = self.reserved.min(kept);
            self.used = self.reserved + self.blocks.range(self.reserved..).count() as u64;
        }
        self.len = len;
    }

    /// Turns the bits of `mask` over, if the file is that long.
    pub(super) fn flip(&mut self, at: u64, mask: u8) {
        let mut byte = [0];
        if self.read(&mut byte, at) {
            self.write(&[byte[0] ^ mask], at);
        }
    }

    /// The same for equal bytes, however they came about.
    pub(super) fn hash(&self, hasher: &mut impl Hasher) {
        hasher.write_u64(self.len);
        for (number, block) in &*self.blocks {
            if block.iter().any(|byte| *byte != 0) {
                hasher.write_u64(*number);
                hasher.write(&block[..]);
            }
        }
    }
}

/// The blocks that `len` bytes at `at` lie in: the block's number, where in it they begin, and
/// which of the bytes they are.
fn pieces(at: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let here = at + done as u64;
        let from = (here % BLOCK) as usize;
        let piece = done..len.min(done + BLOCK as usize - from);
        done = piece.end;
        (!piece.is_empty()).then_some((here / BLOCK, from, piece))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_a_plain_vector_is() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..50 {
            let (mut content, mut plain) = (Content::default(), Vec::<u8>::new());
            for step in 0..100 {
                let at = random.usize(..20_000);
                match random.u8(..5) {
                    0 => {
                        content.set_len(at as u64);
                        plain.resize(at, 0);
                    }
                    1 => {
                        content.allocate(at as u64);
                        plain.resize(plain.len().max(at), 0);
                    }
                    _ => {
                        let data = vec![step; random.usize(1..9000)];
                        assert_eq!(content.fitting(at as u64, data.len(), 0) == data.len(), {
                            let mut after = content.clone();
                            after.write(&data, at as u64);
                            after.used == content.used
                        });
                        content.write(&data, at as u64);
                        plain.resize(plain.len().max(at + data.len()), 0);
                        plain[at..at + data.len()].copy_from_slice(&data);
                    }
                }
                let mut read = vec![1; plain.len()];
                assert!(content.read(&mut read, 0) && !content.read(&mut [0], plain.len() as u64));
                assert_eq!((content.len(), read == plain), (plain.len() as u64, true));
                let behind = content.blocks.range(content.reserved..).count() as u64;
                assert_eq!(content.used, content.reserved + behind);
            }
        }
    }
}
