use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::hashing::FixedState;

/// How many tables stand for one map.
///
/// A table that grows moves everything in it at once: with a million streams in one, a single
/// entry would take a tenth of a second to apply. So each move is a small part of that, and they
/// do not come together.
const SHARDS: usize = 64;

/// A hash map that never stops for long to grow.
///
/// It hashes a key once for each use, and keeps the hash, so that growing does not read every key
/// again: they lie scattered in memory.
#[derive(Clone, Debug)]
pub(crate) struct Sharded<K, V> {
    shards: Box<[HashTable<Slot<K, V>>]>,
}

#[derive(Clone, Debug)]
struct Slot<K, V> {
    hash: u64,
    key: K,
    value: V,
}

impl<K: Eq, V> Slot<K, V> {
    fn holds(&self, hash: u64, key: &K) -> bool {
        self.hash == hash && self.key == *key
    }
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| HashTable::new());
        Self { shards: shards.collect() }
    }
}

impl<K: Hash + Ord + Clone, V> Sharded<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let hash = FixedState.hash_one(key);
        let slot = self.shards[shard(hash)].find(hash, |slot| slot.holds(hash, key))?;
        Some(&slot.value)
    }

    pub(crate) fn put(&mut self, key: &K, value: V) {
        let hash = FixedState.hash_one(key);
        match self.entry(hash, key) {
            Entry::Occupied(mut slot) => slot.get_mut().value = value,
            Entry::Vacant(place) => {
                place.insert(Slot { hash, key: key.clone(), value });
            }
        }
    }

    /// The value of a key; puts the default there first if it has none.
    pub(crate) fn or_default(&mut self, key: &K) -> &mut V
    where
        V: Default,
    {
        let hash = FixedState.hash_one(key);
        let slot = self.entry(hash, key).or_insert_with(|| Slot {
            hash,
            key: key.clone(),
            value: V::default(),
        });
        &mut slot.into_mut().value
    }

    pub(crate) fn remove(&mut self, key: &K) {
        let hash = FixedState.hash_one(key);
        if let Entry::Occupied(slot) = self.entry(hash, key) {
            slot.remove();
        }
    }

    /// Everything in it, as it happens to lie.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flatten().map(|slot| (&slot.key, &slot.value))
    }

    /// Everything in it, by key.
    pub(crate) fn sorted(&self) -> Vec<(&K, &V)> {
        let slots = self.shards.iter().flatten();
        let mut all: Vec<_> = slots.map(|slot| (&slot.key, &slot.value)).collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }

    fn entry(&mut self, hash: u64, key: &K) -> Entry<'_, Slot<K, V>> {
        let shard = &mut self.shards[shard(hash)];
        shard.entry(hash, |slot| slot.holds(hash, key), |slot| slot.hash)
    }
}

/// By bits from the middle of the hash: the tables themselves use its two ends.
fn shard(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}
