use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use catga_host::{BoxFuture, Task};
use tokio::sync::{Notify, Semaphore};

use crate::{Address, NodeId, Serve, Topic};

use super::dialled::Dialled;
use super::ground::Ground;
use super::hello::Met;
use super::pulse::Pulse;
use super::turn::Turn;

/// How many peers are asked at once who they are: nobody has proved anything yet.
const HANDSHAKES_MAX: usize = 64;

/// How many addresses are known: far more than a cluster has members.
pub(super) const LINKS_MAX: usize = 1024;

/// How many connections there are at once, dialled from here and from elsewhere.
pub(super) const CONNECTIONS_MAX: usize = 1024;

/// What all links of a node share.
pub(super) struct Shared {
    pub(super) ground: Arc<Ground>,
    pub(super) handler: OnceLock<Arc<dyn Serve>>,
    pub(super) handshakes: Semaphore,
    /// Locked for one step, never across an await.
    table: Mutex<Table>,
    /// A connection has ended.
    pub(super) ended: Notify,
    /// This node leaves.
    pub(super) leaving: Notify,
}

#[derive(Default)]
struct Table {
    links: BTreeMap<Address, Arc<Dialled>>,
    connections: BTreeMap<u64, Arc<Pulse>>,
    next: u64,
    turns: BTreeMap<NodeId, Arc<Turn>>,
    left: bool,
}

impl Shared {
    pub(super) fn new(ground: Arc<Ground>) -> Arc<Self> {
        Arc::new(Self {
            ground,
            handler: OnceLock::new(),
            handshakes: Semaphore::new(HANDSHAKES_MAX),
            table: Mutex::default(),
            ended: Notify::new(),
            leaving: Notify::new(),
        })
    }

    /// Runs a task of the links: all of them start here, or [for a topic](Self::spawn_for).
    pub(super) fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        self.ground.host.spawn(name, task)
    }

    /// Runs what handles a request of `topic`: that of the application must not hold up Raft.
    pub(super) fn spawn_for(&self, topic: Topic, name: &'static str, task: BoxFuture<'static, ()>) {
        match topic {
            Topic::Application => drop(self.ground.application.spawn(name, task)),
            _ => drop(self.spawn(name, task)),
        }
    }

    /// The link to `address`, which may be one that nobody keeps; none if there are too many.
    pub(super) fn link(&self, address: &Address) -> Option<Arc<Dialled>> {
        let mut table = self.lock();
        if table.links.len() >= LINKS_MAX && !table.links.contains_key(address) {
            return None;
        }
        let link = table.links.entry(Arc::clone(address));
        let new = || Arc::new(Dialled::new(&self.ground, Arc::clone(address)));
        Some(Arc::clone(link.or_insert_with(new)))
    }

    /// All links, by their addresses.
    pub(super) fn links(&self) -> Vec<Arc<Dialled>> {
        self.lock().links.values().cloned().collect()
    }

    /// The link to a node that has dialled this one, if there is one.
    pub(super) fn link_to(&self, met: &Met) -> Option<Arc<Dialled>> {
        let by_address = self.lock().links.get(&met.address).cloned();
        by_address.or_else(|| self.link_to_peer(met.peer.id))
    }

    /// The link to the node numbered `id`, if it was met on one.
    pub(super) fn link_to_peer(&self, id: NodeId) -> Option<Arc<Dialled>> {
        self.links().into_iter().find(|link| link.leads_to(id))
    }

    /// Ends the link to `address`. Whoever watches it sees when it is made again.
    pub(super) fn unlink(&self, address: &Address, why: &str) {
        let mut table = self.lock();
        let Some(link) = table.links.get(address).cloned() else { return };
        if !link.is_watched() {
            table.links.remove(address);
        }
        drop(table);
        link.end(why, false);
    }

    /// Adds a connection, until what is given back is dropped.
    pub(super) fn enter(self: &Arc<Self>, pulse: &Arc<Pulse>) -> Result<Entered, &'static str> {
        let mut table = self.lock();
        if table.connections.len() >= CONNECTIONS_MAX {
            return Err("this node has too many links");
        }
        table.next += 1;
        let number = table.next;
        table.connections.insert(number, Arc::clone(pulse));
        if table.left {
            // Its handshake was under way.
            pulse.leave();
        }
        Ok(Entered { shared: Arc::clone(self), number })
    }

    /// Which connection of the peer numbered `id` is its newest.
    pub(super) fn turn_of(&self, id: NodeId) -> Arc<Turn> {
        Arc::clone(self.lock().turns.entry(id).or_default())
    }

    /// The connection numbered `number` has ended.
    pub(super) fn forget_turn(&self, id: NodeId, number: u64) {
        let mut table = self.lock();
        if table.turns.get(&id).and_then(|turn| turn.of(number, || ())).is_some() {
            table.turns.remove(&id);
        }
    }

    /// No connection is made any more, and each of those that are there says farewell.
    pub(super) fn leave(&self) {
        let mut table = self.lock();
        table.left = true;
        table.connections.values().for_each(|pulse| pulse.leave());
        drop(table);
        self.leaving.notify_waiters();
    }

    pub(super) fn has_left(&self) -> bool {
        self.lock().left
    }

    /// How many links are known, and how many connections there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        let table = self.lock();
        (table.links.len(), table.connections.len())
    }

    pub(super) fn has_connections(&self) -> bool {
        !self.lock().connections.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the connections.
pub(super) struct Entered {
    shared: Arc<Shared>,
    pub(super) number: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.shared.lock().connections.remove(&self.number);
        self.shared.ended.notify_waiters();
    }
}
