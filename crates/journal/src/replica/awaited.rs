use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catga_core::{MessageId, Offset};
use catga_engine::{Effect, OutsideKey};
use tokio::sync::oneshot;

use crate::Counted;
use crate::planted::Planted;

/// Commands that somebody waits for until they have counted here, whoever proposed them.
///
/// There are as many as calls under way on the node at most, which its admission bounds.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// How many there are. Whoever waits is counted before it looks the command up under the
    /// state's lock, and the applier looks here while it holds that lock: one of the two sees the
    /// other.
    count: AtomicUsize,
    waits: Mutex<Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    /// By ticket, which is the order of arrival.
    waits: BTreeMap<u64, Wait>,
    by_id: BTreeSet<(MessageId, u64)>,
    by_key: BTreeSet<(OutsideKey, u64)>,
    last: u64,
}

#[derive(Debug)]
pub(super) struct Wait {
    pub(super) id: MessageId,
    pub(super) key: Option<OutsideKey>,
    pub(super) payload_hash: u64,
    counted: oneshot::Sender<Offset>,
}

/// Takes a wait back when it is given up.
struct Registered {
    awaited: Arc<Awaited>,
    ticket: u64,
}

impl Awaited {
    /// Notes that somebody waits. The caller then has to look whether it has counted already.
    pub(super) fn register(
        self: &Arc<Self>,
        id: MessageId,
        key: Option<&OutsideKey>,
        payload_hash: u64,
    ) -> Counted {
        let (counted, offset) = oneshot::channel();
        let mut waits = self.lock();
        waits.last += 1;
        let ticket = waits.last;
        waits.by_id.insert((id, ticket));
        if let Some(key) = key {
            waits.by_key.insert((key.clone(), ticket));
        }
        waits.waits.insert(ticket, Wait { id, key: key.cloned(), payload_hash, counted });
        self.count.store(waits.waits.len(), Ordering::Release);
        drop(waits);
        let registered = Registered { awaited: Arc::clone(self), ticket };
        Counted::new(async move {
            let _registered = registered;
            match offset.await {
                Ok(offset) => offset,
                Err(_) => pending().await,
            }
        })
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// True if nobody waits, which is all that nearly every entry is asked.
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Takes whoever waits for `effect`, which has counted.
    pub(super) fn take(&self, effect: &Effect) -> Vec<Wait> {
        let mut waits = self.lock();
        let mut due = Vec::new();
        let mut tickets = waits.of_id(effect.id);
        if let Some(key) = effect.key.as_ref().filter(|_| !waits.by_key.is_empty()) {
            tickets.extend(waits.of_key(key));
        }
        for ticket in tickets {
            // The same id or key with another payload is another command, of which its caller
            // hears from whoever decides it.
            if waits.waits.get(&ticket).is_some_and(|it| it.payload_hash == effect.payload_hash) {
                due.extend(waits.remove(ticket));
            }
        }
        self.count.store(waits.waits.len(), Ordering::Release);
        due
    }

    /// The state was replaced by another: takes whoever waits for what it holds, with its offset.
    pub(super) fn take_known(
        &self,
        offset_of: impl Fn(&Wait) -> Option<Offset>,
    ) -> Vec<(Wait, Offset)> {
        let mut waits = self.lock();
        let known = waits
            .waits
            .iter()
            .filter_map(|(ticket, wait)| offset_of(wait).map(|offset| (*ticket, offset)));
        let known: Vec<_> = known.collect();
        let taken = known
            .into_iter()
            .filter_map(|(ticket, offset)| waits.remove(ticket).map(|wait| (wait, offset)));
        let taken = taken.collect();
        self.count.store(waits.waits.len(), Ordering::Release);
        taken
    }

    fn forget(&self, ticket: u64) {
        let mut waits = self.lock();
        waits.remove(ticket);
        self.count.store(waits.waits.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits {
    fn of_id(&self, id: MessageId) -> Vec<u64> {
        self.by_id.range((id, 0)..=(id, u64::MAX)).map(|(_, ticket)| *ticket).collect()
    }

    fn of_key(&self, key: &OutsideKey) -> Vec<u64> {
        let all = (key.clone(), 0)..=(key.clone(), u64::MAX);
        self.by_key.range(all).map(|(_, ticket)| *ticket).collect()
    }

    fn remove(&mut self, ticket: u64) -> Option<Wait> {
        let wait = self.waits.remove(&ticket)?;
        self.by_id.remove(&(wait.id, ticket));
        if let Some(key) = &wait.key {
            self.by_key.remove(&(key.clone(), ticket));
        }
        Some(wait)
    }
}

impl Wait {
    /// Tells that the command has counted at `offset`.
    pub(super) fn settle(self, offset: Offset) {
        // Whoever has gone does not want to know.
        let _ = self.counted.send(offset);
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if Planted::WaitKept.is_here() {
            return;
        }
        self.awaited.forget(self.ticket);
    }
}
