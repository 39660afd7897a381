use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use catga_core::{Fault, NodeName};
use catga_host::{Files, Host};
use catga_journal::{Journal, LogLimits, MemoryLog, Replica, ReplicaOptions};

use crate::{OpenListener, PeerCalls, ViewStore};

/// What a node runs on: it opens the journal.
///
/// The facade joins backends to the builder (`.data_dir(…)`, `.cluster(…)`); the runtime knows no
/// other than [`Memory`].
pub trait Backend: fmt::Debug + Send + 'static {
    /// Adds a fault to `faults` for each option that cannot work, before anything is opened.
    fn check(&self, faults: &mut Vec<crate::StartFault>) {
        let _ = faults;
    }

    /// Opens the journal of `node`.
    fn open(
        self,
        host: Arc<dyn Host>,
        node: NodeName,
    ) -> impl Future<Output = Result<Parts, Fault>> + Send;
}

/// What a backend gives a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Parts {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// Where projections keep their checkpoints; none if nothing outlives the process.
    pub views: Option<ViewStore>,
    /// The way to the other nodes; none for a process of its own.
    pub peers: Option<Arc<dyn PeerCalls>>,
    /// Where the node has been reached since it was starting; none if nobody has to reach it
    /// before it serves.
    pub listener: Option<Arc<dyn OpenListener>>,
}

impl Parts {
    /// The parts of a node that runs on `journal`.
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, views: None, peers: None, listener: None }
    }

    /// The same parts, with a place of the node's own for the checkpoints of its projections.
    ///
    /// The journal must then keep to this: an effect that it has applied in one process comes back
    /// in a later one, or the [`incarnation`](Journal::incarnation) is another.
    #[must_use]
    pub fn with_views(mut self, files: Arc<dyn Files>, dir: impl Into<PathBuf>) -> Self {
        self.views = Some(ViewStore::new(files, dir));
        self
    }

    /// The same parts, with the way to the other nodes of the journal: durable commands run on its
    /// leader then.
    ///
    /// The journal must tell a doubt at once, as a [`Replica`] does that keeps none
    /// ([`ReplicaOptions::with_doubtful_max`]): the node asks the next leader then, and waits for
    /// its own apply at the same time.
    #[must_use]
    pub fn with_peers(mut self, peers: Arc<dyn PeerCalls>) -> Self {
        self.peers = Some(peers);
        self
    }

    /// The same parts, with a listener that is open already, which whoever serves the node takes
    /// over. The node closes it when it stops.
    #[must_use]
    pub fn with_listener(mut self, listener: Arc<dyn OpenListener>) -> Self {
        self.listener = Some(listener);
        self
    }
}

/// One process, everything in memory: what is recorded is gone with the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

impl Backend for Memory {
    async fn open(self, host: Arc<dyn Host>, node: NodeName) -> Result<Parts, Fault> {
        let options = ReplicaOptions::new(node.clone());
        let replica = Replica::open(host, options, async move |applier| {
            Ok(MemoryLog::open(node, applier, LogLimits::default()))
        })
        .await?;
        Ok(Parts::new(replica))
    }
}
