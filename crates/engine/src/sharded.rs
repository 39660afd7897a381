use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use crate::hashing::FixedState;

/// How many maps stand for one.
///
/// A map that grows moves everything in it at once: with a million streams in one map, a single
/// entry would take a tenth of a second to apply. So each move is a small part of that, and they
/// do not come together.
const SHARDS: usize = 256;

/// A hash map that never stops for long to grow.
#[derive(Clone, Debug)]
pub(crate) struct Sharded<K, V> {
    shards: Box<[HashMap<K, V, FixedState>]>,
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| HashMap::default());
        Self { shards: shards.collect() }
    }
}

impl<K: Hash + Ord, V> Sharded<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.shards[shard(key)].get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.shards[shard(key)].get_mut(key)
    }

    /// Puts a value where `key` may have one already; clones the key only if it has none.
    pub(crate) fn put(&mut self, key: &K, value: V)
    where
        K: Clone,
    {
        let shard = &mut self.shards[shard(key)];
        match shard.get_mut(key) {
            Some(slot) => *slot = value,
            None => drop(shard.insert(key.clone(), value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.shards[shard(key)].remove(key);
    }

    /// Everything in it, by key.
    pub(crate) fn sorted(&self) -> Vec<(&K, &V)> {
        let mut all: Vec<_> = self.shards.iter().flatten().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }
}

/// By bits from the middle of the hash: the maps themselves use its two ends.
fn shard<K: Hash>(key: &K) -> usize {
    (FixedState.hash_one(key) >> 32) as usize % SHARDS
}
