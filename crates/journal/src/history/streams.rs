use std::fmt;

use catga_core::{StreamName, payload_hash};
use hashbrown::HashTable;

/// How many tables stand for one map. A table that grows moves everything in it at once, during
/// which nothing is applied; so it moves a small part of the streams only.
const SHARDS: usize = 64;

/// Where the last event of every stream stands.
///
/// The names are not in it: an event holds its stream's, and `name_of` gives it by place.
pub(super) struct Streams {
    shards: Box<[HashTable<Last>]>,
}

struct Last {
    /// Kept, so that growing does not read names from all over memory.
    hash: u64,
    place: usize,
}

impl Default for Streams {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| HashTable::new());
        Self { shards: shards.collect() }
    }
}

impl Streams {
    /// The place of the stream's last event.
    pub(super) fn last<'n>(
        &self,
        stream: &StreamName,
        name_of: impl Fn(usize) -> Option<&'n StreamName>,
    ) -> Option<usize> {
        let hash = hash(stream);
        let is_it = |last: &Last| last.hash == hash && name_of(last.place) == Some(stream);
        self.shards[shard(hash)].find(hash, is_it).map(|last| last.place)
    }

    /// Makes `place` the place of the stream's last event; the place of the one before.
    pub(super) fn replace<'n>(
        &mut self,
        stream: &StreamName,
        place: usize,
        name_of: impl Fn(usize) -> Option<&'n StreamName>,
    ) -> Option<usize> {
        let hash = hash(stream);
        let is_it = |last: &Last| last.hash == hash && name_of(last.place) == Some(stream);
        let shard = &mut self.shards[shard(hash)];
        match shard.find_mut(hash, is_it) {
            Some(last) => Some(std::mem::replace(&mut last.place, place)),
            None => {
                shard.insert_unique(hash, Last { hash, place }, |last| last.hash);
                None
            }
        }
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.shards.iter().map(HashTable::len).sum();
        f.debug_struct("Streams").field("count", &count).finish_non_exhaustive()
    }
}

fn hash(stream: &StreamName) -> u64 {
    payload_hash(stream.as_str().as_bytes())
}

/// By bits from the middle of the hash: the tables themselves use its two ends.
fn shard(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}
