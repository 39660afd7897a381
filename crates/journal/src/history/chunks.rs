/// How many items stand together. Large enough that a scan runs over memory in order, small
/// enough that the allocation of one is not felt by the entry that needs it.
const CHUNK: usize = 1024;

/// A list that only grows, and that never moves what it holds: a vector that doubles would stop
/// the journal for as long as it takes to copy everything.
#[derive(Debug)]
pub(super) struct Chunks<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Chunks<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, item: T) {
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.len += 1;
        let last = self.chunks.last_mut();
        last.expect("a chunk was added when the one before was full").push(item);
    }

    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    /// Everything from `place` on.
    pub(super) fn iter_from(&self, place: usize) -> impl Iterator<Item = &T> {
        let chunks = self.chunks.get(place / CHUNK..).unwrap_or_default();
        chunks.iter().flatten().skip(place % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_is_found_over_the_edges_of_chunks() {
        let mut chunks = Chunks::default();
        assert_eq!(chunks.iter_from(0).count(), 0);
        for item in 0..CHUNK * 2 + 1 {
            chunks.push(item);
        }
        assert_eq!(chunks.len(), CHUNK * 2 + 1);
        for place in [0, CHUNK - 1, CHUNK, CHUNK * 2] {
            assert_eq!(chunks.get(place), Some(&place));
            assert!(chunks.iter_from(place).copied().eq(place..chunks.len()));
        }
        assert_eq!(chunks.get(CHUNK * 2 + 1), None);
        assert_eq!(chunks.iter_from(CHUNK * 9).next(), None);
    }
}
