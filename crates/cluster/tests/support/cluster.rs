use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use catga_cluster::{Ground, Node, NodeId, Options, RaftLog, Rt, Store, StoreId};
use catga_core::NodeName;
use catga_host::{BoxFuture, Host};
use catga_journal::conformance::{Abilities, LogHarness, Recorder};
use catga_journal::{Log, LogIndex};
use openraft::AsyncRuntime;
use tokio::sync::oneshot;

use super::disk::Write;
use super::host::SimHost;
use super::{Disk, Lost, MemoryStore, Random, SimNet, Trace};

/// Some nodes of one Raft log, on simulated disks and links. Nodes are numbered from 0 here and
/// from 1 in Raft.
#[derive(Debug)]
pub struct Cluster {
    pub net: SimNet,
    pub trace: Trace,
    pub host: Arc<SimHost>,
    nodes: Vec<Slot>,
    random: RefCell<Random>,
    recorder: RefCell<Recorder>,
}

#[derive(Debug)]
struct Slot {
    disk: Disk,
    log: RefCell<Option<Arc<RaftLog>>>,
}

impl Cluster {
    pub fn new(nodes: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let trace = Trace::new();
        let slot =
            |random: &mut Random| Slot { disk: Disk::new(random.next()), log: RefCell::default() };
        Self {
            net: SimNet::new(random.next(), trace.clone()),
            trace,
            host: Arc::new(SimHost::new(random.next())),
            nodes: (0..nodes).map(|_| slot(&mut random)).collect(),
            random: RefCell::new(random),
            recorder: RefCell::default(),
        }
    }

    /// Starts `nodes` nodes and waits until one leads.
    pub async fn started(nodes: usize, seed: u64) -> (Self, Recorder) {
        let mut cluster = Self::new(nodes, seed);
        let recorder = Recorder::default();
        cluster.open(&recorder).await;
        cluster.wait_for("a leader", |this| this.leader().is_some()).await;
        (cluster, recorder)
    }

    pub fn raft_id(node: usize) -> NodeId {
        node as NodeId + 1
    }

    pub fn name(node: usize) -> NodeName {
        NodeName::new(format!("node{}", node + 1))
    }

    pub fn disk(&self, node: usize) -> &Disk {
        &self.nodes[node].disk
    }

    /// The log of a node that runs.
    pub fn at(&self, node: usize) -> Arc<RaftLog> {
        self.log(node).expect("the node runs")
    }

    /// Waits until `condition` holds, at most the patience of the harness.
    #[track_caller]
    pub fn wait_for(
        &self,
        what: &str,
        condition: impl Fn(&Self) -> bool,
    ) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let deadline = self.host.now() + self.patience();
            while !condition(self) {
                assert!(self.host.now() < deadline, "{caller}: no {what} in time");
                Rt::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Crashes `node`, which runs.
    pub async fn crash_losing(&self, node: usize, lost: Lost) {
        let log = self.nodes[node].log.take().expect("the node runs");
        self.trace.note(format_args!("crash of {}", node + 1));
        self.net.leave(Self::raft_id(node));
        log.abort();
        // Now the tasks are gone, and no flush completes any more.
        tokio::task::yield_now().await;
        self.nodes[node].disk.crash(lost);
    }

    /// Cuts `node` off.
    pub fn cut_off(&self, node: usize) {
        self.trace.note(format_args!("isolation of {}", node + 1));
        self.each_way(node, SimNet::cut);
    }

    /// Cuts or joins both ways between `node` and all others.
    fn each_way(&self, node: usize, change: impl Fn(&SimNet, NodeId, NodeId)) {
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            let (one, other) = (Self::raft_id(node), Self::raft_id(other));
            change(&self.net, one, other);
            change(&self.net, other, one);
        }
    }

    /// Starts `node`, which does not run.
    pub async fn start(&self, node: usize) {
        let id = Self::raft_id(node);
        self.trace.note(format_args!("start of {id}"));
        let disk = self.nodes[node].disk.clone();
        let host: Arc<dyn Host> = self.host.clone();
        let mut options = Options::new(id, self.random.borrow_mut().next());
        // Small, so that a snapshot has many.
        options.snapshot_part_bytes = 64;
        let open = RaftLog::open(
            &host,
            options,
            Store {
                log: MemoryStore::new(disk.clone()),
                snapshots: Arc::new(disk.clone()),
                ground: Arc::new(OnDisk(disk)),
            },
            self.net.of(id),
            Box::new(self.recorder.borrow().applier(node)),
        );
        let log = Arc::new(open.await.expect("the log opens"));
        self.net.join(id, log.serve());
        self.nodes[node].log.replace(Some(log));
    }

    /// A leader that is not `node`.
    fn other_leader(&self, node: usize) -> Option<usize> {
        self.leader().filter(|leader| *leader != node)
    }
}

/// Simulated disks are never full, and need no closing.
struct OnDisk(Disk);

impl Ground for OnDisk {
    fn flushed(&self) -> BoxFuture<'_, io::Result<()>> {
        let (flushed, wait) = oneshot::channel();
        self.0.write(Write::Flush(flushed));
        Box::pin(async { wait.await.map_err(io::Error::other) })
    }
}

impl LogHarness for Cluster {
    type Log = RaftLog;

    fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn host(&self) -> Arc<dyn Host> {
        Arc::clone(&self.host) as Arc<dyn Host>
    }

    fn abilities(&self) -> Abilities {
        let several = self.nodes.len() > 1;
        Abilities { isolate: several, crash: true, install: several }
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn largest_entry(&self) -> Option<usize> {
        Some(Options::new(0, 0).entry_bytes_max)
    }

    async fn open(&mut self, recorder: &Recorder) {
        self.recorder.replace(recorder.clone());
        let mut members = BTreeMap::new();
        for node in 0..self.nodes.len() {
            self.start(node).await;
            let id = Self::raft_id(node);
            let store = StoreId(u128::from(id));
            let address = SimNet::address(id);
            members.insert(id, Node::new(Self::name(node), address, store));
        }
        let first = self.at(0).initialize(members).await;
        first.expect("the first node is empty and a member");
    }

    fn log(&self, node: usize) -> Option<Arc<RaftLog>> {
        self.nodes[node].log.borrow().clone()
    }

    async fn isolate(&mut self, node: usize) {
        self.cut_off(node);
    }

    async fn heal(&mut self) {
        self.trace.note("heal");
        self.net.heal();
    }

    async fn crash(&mut self, node: usize) {
        self.crash_losing(node, Lost::Some).await;
    }

    async fn restart(&mut self, node: usize, recorder: &Recorder) {
        self.recorder.replace(recorder.clone());
        self.start(node).await;
    }

    async fn install_snapshot(&mut self, node: usize) {
        let cut_before = self.net.cuts();
        self.each_way(node, SimNet::cut);
        self.wait_for("another leader", |this| this.other_leader(node).is_some()).await;
        // Entries of Raft's own are enough to leave the node behind; the suite knows of no others.
        let leader = loop {
            let leader = self.other_leader(node).expect("there was one");
            match self.at(leader).raft().write_blank().await {
                Ok(_) => break leader,
                Err(_) => Rt::sleep(Duration::from_millis(50)).await,
            }
        };
        let log = self.at(leader);
        let applied = log.raft().watch_apply_progress().get();
        let applied = applied.expect("the blank entry is applied");
        self.recorder.borrow().checkpoint(leader);
        log.trim(LogIndex { term: applied.leader_id.term, index: applied.index }).await;
        let disk = self.disk(leader).clone();
        self.wait_for("purged log", |_| disk.read(|log| log.purged >= Some(applied))).await;
        // What the suite itself has cut stays cut.
        self.each_way(node, |net, from, to| {
            if !cut_before.contains(&(from, to)) {
                net.join_up(from, to);
            }
        });
    }
}
