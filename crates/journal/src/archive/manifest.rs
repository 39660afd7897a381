//! What a checkpoint says of its archive. All numbers are 64-bit little-endian: how many segments
//! are sealed; for each its first and last offset, its length and its hash; of the tail its first
//! and last offset, where it ends and its hash.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::sealed::Sealed;

/// An archive as a checkpoint knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Oldest first.
    pub(crate) sealed: Vec<Sealed>,
    pub(crate) tail: TailEnd,
}

/// How far the last segment goes, which may get more records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TailEnd {
    pub(crate) first: u64,
    /// The one before the first if there is no record.
    pub(crate) last: u64,
    /// The byte at which its last record ends; zero if there is no file.
    pub(crate) end: u64,
    /// The hash over its records.
    pub(crate) hash: u64,
}

impl Manifest {
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_u64_le(self.sealed.len() as u64);
        let sealed = self.sealed.iter();
        let sealed = sealed.map(|sealed| [sealed.first, sealed.last, sealed.length, sealed.hash]);
        let TailEnd { first, last, end, hash } = self.tail;
        let all = sealed.chain([[first, last, end, hash]]);
        all.flatten().for_each(|number| bytes.put_u64_le(number));
        bytes.freeze()
    }

    /// None if the bytes are no manifest, or offsets are missing in it.
    pub(crate) fn decode(mut bytes: Bytes) -> Option<Self> {
        let count = usize::try_from(bytes.try_get_u64_le().ok()?).ok()?;
        let mut lines = Vec::new();
        while bytes.has_remaining() {
            let mut line = [0; 4];
            for number in &mut line {
                *number = bytes.try_get_u64_le().ok()?;
            }
            lines.push(line);
        }
        let [first, last, end, hash] = lines.pop()?;
        let tail = TailEnd { first, last, end, hash };
        let sealed = lines.into_iter();
        let sealed = sealed.map(|[first, last, length, hash]| Sealed { first, last, length, hash });
        let manifest = Self { sealed: sealed.collect(), tail };
        (manifest.sealed.len() == count && manifest.is_dense()).then_some(manifest)
    }

    /// True if each segment goes on where the one before it ended.
    fn is_dense(&self) -> bool {
        let mut next = 1;
        for sealed in &self.sealed {
            if sealed.first != next || sealed.last < next {
                return false;
            }
            next = sealed.last.saturating_add(1);
        }
        let TailEnd { first, last, end, .. } = self.tail;
        let is_empty = last == next - 1;
        first == next && last >= next - 1 && is_empty == (end == 0)
    }
}
