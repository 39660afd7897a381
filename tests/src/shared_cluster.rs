//! Three nodes in one process over a [`SharedLog`].

use std::sync::Arc;

use catga::{Backend, Fault, Node, NodeName, Parts};
use catga_host::Host;
use catga_journal::{Replica, ReplicaOptions};
use catga_testkit::VirtualHost;

use crate::shared_log::SharedLog;
use crate::switchboard::Switchboard;

/// The nodes' names.
pub const NAMES: [&str; 3] = ["node1", "node2", "node3"];

/// A node of a shared log, as a backend.
#[derive(Debug)]
pub struct SharedBackend {
    log: SharedLog,
    board: Arc<Switchboard>,
    node: usize,
}

impl Backend for SharedBackend {
    async fn open(self, host: Arc<dyn Host>, node: NodeName) -> Result<Parts, Fault> {
        let options = ReplicaOptions::new(node).with_incarnation(7).with_doubtful_max(0);
        let replica =
            Replica::open(host, options, async |applier| Ok(self.log.open(self.node, applier)));
        Ok(Parts::new(replica.await?).with_peers(self.board.line(self.node)))
    }
}

/// Three nodes, the log that they share, and the calls between them.
#[derive(Debug)]
pub struct SharedCluster {
    /// Chooses the leader.
    pub log: SharedLog,
    /// Loses calls.
    pub board: Arc<Switchboard>,
    /// The machine that all run on.
    pub host: Arc<VirtualHost>,
}

impl SharedCluster {
    /// A cluster whose first node leads and none of which runs.
    pub fn new(host: &Arc<VirtualHost>) -> Self {
        let log = SharedLog::new(&NAMES);
        let board = Switchboard::new(host.clone(), log.clone());
        Self { log, board, host: host.clone() }
    }

    /// The backend of `node`.
    pub fn backend(&self, node: usize) -> SharedBackend {
        SharedBackend { log: self.log.clone(), board: self.board.clone(), node }
    }

    /// Starts three nodes, each as `start` says, given its name and backend.
    pub async fn start<F: Future<Output = Node>>(
        &self,
        mut start: impl FnMut(&'static str, SharedBackend) -> F,
    ) -> [Node; 3] {
        let first = start(NAMES[0], self.backend(0)).await;
        let second = start(NAMES[1], self.backend(1)).await;
        [first, second, start(NAMES[2], self.backend(2)).await]
    }
}
