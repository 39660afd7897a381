use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openraft::AsyncRuntime;
use openraft::async_runtime::Instant as _;

use crate::{NodeId, Rt};

type Instant = <Rt as AsyncRuntime>::Instant;

/// Which followers said of late that their disks have no room for entries: in answer to entries, and
/// once a second unasked.
///
/// A leader asks before it takes an entry that would wait for a quorum which cannot store it, or before
/// it has another lead since its own disk is full. It learns of the room again by the entries that it
/// goes on sending, and a word that is not repeated is forgotten: the next entry tries.
#[derive(Clone, Debug)]
pub(crate) struct Lacking {
    said: Arc<Mutex<BTreeMap<NodeId, Instant>>>,
    holds: Duration,
}

impl Lacking {
    /// One in which a word holds for `holds`.
    pub(crate) fn new(holds: Duration) -> Self {
        Self { said: Arc::default(), holds }
    }

    /// The follower has no room.
    pub(crate) fn add(&self, follower: NodeId) {
        if self.lock().insert(follower, Instant::now()).is_none() {
            tracing::warn!(follower, "a follower has no room for entries");
        }
    }

    /// The follower has taken entries.
    pub(crate) fn remove(&self, follower: NodeId) {
        if self.lock().remove(&follower).is_some() {
            tracing::info!(follower, "a follower has room again");
        }
    }

    /// True if the follower has said of late that it has none.
    pub(crate) fn has(&self, follower: NodeId) -> bool {
        self.lock().get(&follower).is_some_and(|at| at.elapsed() < self.holds)
    }

    /// True if nobody has said it of late. Words that hold no more are forgotten, those of nodes that
    /// have left among them.
    pub(crate) fn is_empty(&self) -> bool {
        let mut said = self.lock();
        said.retain(|_, at| at.elapsed() < self.holds);
        said.is_empty()
    }

    /// True if a majority with room is missing among one of `configs`: the voters of whom a
    /// majority must store an entry, two sets of them while they change.
    pub(crate) fn stop(&self, configs: &[BTreeSet<NodeId>]) -> bool {
        let said = self.lock();
        let lacks = |node: &&NodeId| said.get(node).is_some_and(|at| at.elapsed() < self.holds);
        configs.iter().any(|voters| voters.iter().filter(lacks).count() * 2 >= voters.len())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Instant>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
