use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

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
///
/// Its copies share the tables that neither has changed since, so that a copy is made at once.
#[derive(Clone, Debug)]
pub(crate) struct Sharded<K, V> {
    shards: Box<[Arc<Table<K, V>>]>,
    len: usize,
}

type Table<K, V> = HashTable<Slot<K, V>>;

#[derive(Clone, Debug)]
struct Slot<K, V> {
    hash: u64,
    key: K,
    value: V,
}

impl<K, V> Slot<K, V> {
    fn holds<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.hash == hash && self.key.borrow() == key
    }
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Arc::default());
        Self { shards: shards.collect(), len: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Sharded<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let hash = FixedState.hash_one(key);
        let slot = self.shards[shard(hash)].find(hash, |slot| slot.holds(hash, key))?;
        Some(&slot.value)
    }

    /// Gives a key its value; true if it had none.
    pub(crate) fn put(&mut self, key: &K, value: V) -> bool {
        let hash = FixedState.hash_one(key);
        let is_new = match self.entry(hash, key) {
            Entry::Occupied(mut slot) => {
                slot.get_mut().value = value;
                false
            }
            Entry::Vacant(place) => {
                place.insert(Slot { hash, key: key.clone(), value });
                true
            }
        };
        self.len += usize::from(is_new);
        is_new
    }

    /// The value of a key; puts the default there first if it has none.
    pub(crate) fn or_default(&mut self, key: &K) -> &mut V
    where
        V: Default,
    {
        let hash = FixedState.hash_one(key);
        let shard = Arc::make_mut(&mut self.shards[shard(hash)]);
        let entry = shard.entry(hash, |slot| slot.holds(hash, key), |slot| slot.hash);
        let slot = match entry {
            Entry::Occupied(slot) => slot,
            Entry::Vacant(place) => {
                self.len += 1;
                place.insert(Slot { hash, key: key.clone(), value: V::default() })
            }
        };
        &mut slot.into_mut().value
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        let hash = FixedState.hash_one(key);
        let shard = Arc::make_mut(&mut self.shards[shard(hash)]);
        if let Ok(slot) = shard.find_entry(hash, |slot| slot.holds(hash, key)) {
            slot.remove();
            self.len -= 1;
        }
    }

    /// Everything in it, as it happens to lie.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter()).map(|slot| (&slot.key, &slot.value))
    }

    /// Everything in it, by key.
    pub(crate) fn sorted(&self) -> Vec<(&K, &V)>
    where
        K: Ord,
    {
        let slots = self.shards.iter().flat_map(|shard| shard.iter());
        let mut all: Vec<_> = slots.map(|slot| (&slot.key, &slot.value)).collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }

    fn entry(&mut self, hash: u64, key: &K) -> Entry<'_, Slot<K, V>> {
        let shard = Arc::make_mut(&mut self.shards[shard(hash)]);
        shard.entry(hash, |slot| slot.holds(hash, key), |slot| slot.hash)
    }
}

/// By bits from the middle of the hash: the tables themselves use its two ends.
fn shard(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_stays_as_it_is_whatever_becomes_of_the_other() {
        let mut map = Sharded::default();
        (0..1000_u64).for_each(|key| assert!(map.put(&key, key)));
        let copy = map.clone();
        (0..500).for_each(|key| map.remove(&key));
        (500..600).for_each(|key| assert!(!map.put(&key, 0)));
        *map.or_default(&2000) += 7;
        map.remove(&3000);
        assert_eq!((copy.len(), map.len()), (1000, 501));
        assert!((0..1000).all(|key| copy.get(&key) == Some(&key)));
        let of = |key: u64| map.get(&key).copied();
        assert_eq!((of(1), of(550), of(700), of(2000)), (None, Some(0), Some(700), Some(7)));
    }
}
