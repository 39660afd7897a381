use std::collections::VecDeque;
use std::sync::Arc;

/// How many elements a chunk gets. One that is shared is copied when it is changed, which takes
/// some microseconds.
const CHUNK: usize = 1024;

/// A queue whose copies share what neither has changed since: a checkpoint copies it while nothing
/// can be applied, so that must not take long, however much is in it.
#[derive(Clone, Debug)]
pub(crate) struct Chunked<T> {
    /// None is empty, apart from what was taken from the first.
    chunks: VecDeque<Arc<Vec<T>>>,
    /// How many were taken from the first chunk.
    taken: usize,
    len: usize,
}

/// Where an element stands, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    chunk: usize,
    at: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), taken: 0, len: 0 }
    }
}

impl<T: Clone> Chunked<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.chunks.front()?.get(self.taken)
    }

    pub(crate) fn back(&self) -> Option<&T> {
        self.chunks.back()?.last()
    }

    pub(crate) fn push_back(&mut self, element: T) {
        match self.chunks.back_mut() {
            Some(last) if last.len() < CHUNK => Arc::make_mut(last).push(element),
            // Not with room for all at once: most queues stay short.
            _ => self.chunks.push_back(Arc::new(vec![element])),
        }
        self.len += 1;
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let first = self.chunks.front()?;
        let element = first.get(self.taken)?.clone();
        self.taken += 1;
        self.len -= 1;
        if self.taken == first.len() {
            self.chunks.pop_front();
            self.taken = 0;
        }
        Some(element)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).skip(self.taken)
    }

    pub(crate) fn at(&self, place: Place) -> Option<&T> {
        self.chunks.get(place.chunk)?.get(place.at)
    }

    /// Where the element with this key stands, or where one would; they are in its order.
    pub(crate) fn search<K: Ord>(&self, key: &K, of: impl Fn(&T) -> K) -> Result<Place, Place> {
        let ends_below = |chunk: &Arc<Vec<T>>| chunk.last().is_some_and(|last| of(last) < *key);
        let chunk = self.chunks.partition_point(ends_below);
        let Some(elements) = self.chunks.get(chunk) else {
            return Err(Place { chunk, at: 0 });
        };
        let taken = if chunk == 0 { self.taken } else { 0 };
        match elements[taken..].binary_search_by_key(key, of) {
            Ok(at) => Ok(Place { chunk, at: taken + at }),
            Err(at) => Err(Place { chunk, at: taken + at }),
        }
    }

    /// Puts an element in its order, at a place that [`search`](Self::search) gave.
    pub(crate) fn insert(&mut self, place: Place, element: T) {
        let Place { chunk, at } = place;
        let Some(elements) = self.chunks.get_mut(chunk) else {
            return self.push_back(element);
        };
        let elements = Arc::make_mut(elements);
        elements.insert(at, element);
        self.len += 1;
        if elements.len() >= 2 * CHUNK {
            let rest = elements.split_off(CHUNK);
            self.chunks.insert(chunk + 1, Arc::new(rest));
            let first = self.chunks.front().map_or(0, |first| first.len());
            if chunk == 0 && self.taken == first {
                self.chunks.pop_front();
                self.taken = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same operations on it and on a plain queue, from a seed.
    fn run(seed: u64, steps: u64) {
        let mut random = seed;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let (mut queue, mut model) = (Chunked::default(), VecDeque::new());
        let mut copies = Vec::new();
        let mut newest = 0;
        for step in 0..steps {
            match next(20) {
                0..=11 => {
                    newest += 2 + 2 * next(3);
                    queue.push_back(newest);
                    model.push_back(newest);
                }
                12..=15 => {
                    let key = newest.saturating_sub(next(5000)) | 1;
                    let found = queue.search(&key, |it| *it);
                    match model.binary_search(&key) {
                        Ok(_) => assert_eq!(found.map(|it| queue.at(it).copied()), Ok(Some(key))),
                        Err(at) => {
                            queue.insert(found.expect_err("it is new"), key);
                            model.insert(at, key);
                        }
                    }
                }
                16..=18 => assert_eq!(queue.pop_front(), model.pop_front()),
                _ if step % 50 == 0 => copies.push((queue.clone(), model.clone())),
                _ => {
                    let key = newest.saturating_sub(next(3000));
                    let found = queue.search(&key, |it| *it).ok().and_then(|it| queue.at(it));
                    assert_eq!(found.is_some(), model.binary_search(&key).is_ok());
                }
            }
            assert_eq!(queue.len(), model.len());
            assert_eq!((queue.front(), queue.back()), (model.front(), model.back()));
        }
        copies.push((queue, model));
        for (copy, model) in copies {
            assert!(copy.iter().eq(&model), "a copy changes with nobody");
        }
    }

    #[test]
    fn it_is_a_queue_in_order_and_its_copies_stay_as_they_are() {
        for seed in 0..5 {
            run(seed, 40_000);
        }
    }

    #[test]
    fn a_chunk_of_which_all_was_taken_goes_when_it_is_split() {
        let mut queue = Chunked::default();
        (0..CHUNK as u64).for_each(|it| queue.push_back(it * 10_000));
        (0..CHUNK - 1).for_each(|_| _ = queue.pop_front());
        for key in 1..=CHUNK as u64 {
            let key = (CHUNK as u64 - 2) * 10_000 + key;
            let place = queue.search(&key, |it| *it).expect_err("it is new");
            queue.insert(place, key);
        }
        assert_eq!(queue.front(), Some(&((CHUNK as u64 - 2) * 10_000 + 1)));
        assert_eq!(queue.len(), CHUNK + 1);
        assert_eq!(queue.iter().count(), queue.len());
    }
}
