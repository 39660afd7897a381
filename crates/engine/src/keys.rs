use std::sync::Arc;

use catga_core::{MessageId, Offset};

use crate::chunked::Chunked;
use crate::sharded::Sharded;
use crate::{Limits, OutsideKey};

/// How many keys whose time is over one entry removes at most, so that no single entry pays for a
/// day of them. What is not removed yet is not found either.
const PURGED_PER_ENTRY: usize = 256;

/// What a key from outside stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alias {
    pub(crate) id: MessageId,
    pub(crate) offset: Offset,
    pub(crate) payload_hash: u64,
    /// The journal time at which it was recorded.
    pub(crate) since_ms: u64,
}

/// The keys from outside that are remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    aliases: Sharded<Arc<OutsideKey>, Alias>,
    /// In the order of recording, which is the order of expiry: journal time never goes back.
    /// A key recorded again after its time stands here twice; its alias tells which one holds.
    queue: Chunked<(u64, Arc<OutsideKey>)>,
}

impl Keys {
    /// The key's alias, unless its time is over.
    pub(crate) fn find(&self, key: &OutsideKey, time_ms: u64, limits: &Limits) -> Option<&Alias> {
        let alias = self.aliases.get(key)?;
        (!is_over(alias.since_ms, time_ms, limits)).then_some(alias)
    }

    /// Removes some of the keys whose time is over.
    pub(crate) fn purge(&mut self, time_ms: u64, limits: &Limits) {
        for _ in 0..PURGED_PER_ENTRY {
            if !self.purge_one(time_ms, limits) {
                break;
            }
        }
    }

    /// True if an entry at this time removes some.
    pub(crate) fn purges_at(&self, time_ms: u64, limits: &Limits) -> bool {
        self.queue.front().is_some_and(|(since_ms, _)| is_over(*since_ms, time_ms, limits))
    }

    /// Records an alias; false if the key stood there already, its time being over.
    pub(crate) fn record(&mut self, key: Arc<OutsideKey>, alias: Alias) -> bool {
        self.queue.push_back((alias.since_ms, Arc::clone(&key)));
        self.aliases.put(&key, alias)
    }

    /// How many are remembered, those whose time is over included until they are purged.
    pub(crate) fn len(&self) -> usize {
        self.aliases.len()
    }

    /// The remembered keys, oldest first.
    pub(crate) fn iter(
        &self,
        time_ms: u64,
        limits: &Limits,
    ) -> impl Iterator<Item = (&OutsideKey, &Alias)> {
        self.queue.iter().filter_map(move |(since_ms, key)| {
            let alias = self.find(key, time_ms, limits)?;
            (alias.since_ms == *since_ms).then_some((&**key, alias))
        })
    }

    /// Takes the oldest key out of the queue if its time is over.
    fn purge_one(&mut self, time_ms: u64, limits: &Limits) -> bool {
        match self.queue.front() {
            Some((since_ms, _)) if is_over(*since_ms, time_ms, limits) => {}
            _ => return false,
        }
        if let Some((since_ms, key)) = self.queue.pop_front()
            && self.aliases.get(&*key).is_some_and(|alias| alias.since_ms == since_ms)
        {
            self.aliases.remove(&*key);
        }
        true
    }
}

fn is_over(since_ms: u64, time_ms: u64, limits: &Limits) -> bool {
    time_ms.saturating_sub(since_ms) >= limits.key_retention_ms
}
