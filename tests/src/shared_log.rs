//! A log of several nodes in one process, whose leader the test chooses.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use catga_core::{Fault, FaultCode, NodeName};
use catga_journal::{
    AppendError, Applier, Delivered, Guarantees, Leadership, Log, LogIndex, Refusal, Role,
    Survives, Watermark,
};

/// How long a leader that is cut off waits before it says that an append is in doubt.
const CUT_OFF_FOR: Duration = Duration::from_secs(2);

/// The list that all nodes share.
#[derive(Clone)]
pub struct SharedLog(Arc<Mutex<Shared>>);

struct Shared {
    term: u64,
    leader: Option<usize>,
    /// Committed: every node is given them.
    entries: Vec<Delivered>,
    nodes: Vec<Member>,
}

struct Member {
    name: NodeName,
    applier: Option<Box<dyn Applier>>,
    /// It hears nobody, and nobody hears it.
    isolated: bool,
    /// It is told who leads and gets no entries.
    lagging: bool,
    stopped: bool,
    /// Who leads, as far as this node knows.
    believes: (u64, Option<usize>),
    changes: Arc<Watermark>,
    /// How its next appends come back.
    doubts: VecDeque<Doubt>,
}

/// What becomes of an append that comes back in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The entry is in the log.
    Kept,
    /// It is not.
    Lost,
}

/// One node's end of a [`SharedLog`].
pub struct SharedLogNode {
    log: SharedLog,
    node: usize,
    changes: Arc<Watermark>,
}

impl SharedLog {
    /// A log of nodes called `names`, of which the first leads.
    pub fn new(names: &[&str]) -> Self {
        let member = |name: &&str| Member {
            name: NodeName::new(*name),
            applier: None,
            isolated: false,
            lagging: false,
            stopped: false,
            believes: (0, None),
            changes: Arc::default(),
            doubts: VecDeque::new(),
        };
        let nodes = names.iter().map(member).collect();
        let shared = Shared { term: 0, leader: None, entries: Vec::new(), nodes };
        let log = Self(Arc::new(Mutex::new(shared)));
        log.elect(Some(0));
        log
    }

    /// Opens the end of `node`, which delivers to `applier`.
    pub fn open(&self, node: usize, applier: impl Applier) -> SharedLogNode {
        let mut shared = self.lock();
        let member = &mut shared.nodes[node];
        member.applier = Some(Box::new(applier));
        member.stopped = false;
        let changes = member.changes.clone();
        shared.deliver(node);
        drop(shared);
        SharedLogNode { log: self.clone(), node, changes }
    }

    /// Begins the next term, under `leader` or nobody. Isolated nodes do not hear of it.
    pub fn elect(&self, leader: Option<usize>) {
        self.lock().term += 1;
        self.overtake(leader);
    }

    /// Goes on in the same term under `leader`, or nobody: of two candidates in one term the second
    /// may win as well, and then the first leads no more.
    pub fn overtake(&self, leader: Option<usize>) {
        let mut shared = self.lock();
        shared.leader = leader;
        if let Some(leader) = leader {
            // A leader holds what was committed before it begins.
            shared.nodes[leader].lagging = false;
            shared.deliver(leader);
        }
        shared.tell();
    }

    /// Cuts `node` off; if it leads, it goes on believing so.
    pub fn isolate(&self, node: usize) {
        self.lock().nodes[node].isolated = true;
    }

    /// Undoes every [`isolate`](Self::isolate) and [`set_lagging`](Self::set_lagging).
    pub fn heal(&self) {
        let mut shared = self.lock();
        for node in 0..shared.nodes.len() {
            (shared.nodes[node].isolated, shared.nodes[node].lagging) = (false, false);
            shared.deliver(node);
        }
        shared.tell();
    }

    /// Keeps entries from `node`, or gives it all that it lacks.
    pub fn set_lagging(&self, node: usize, lagging: bool) {
        let mut shared = self.lock();
        shared.nodes[node].lagging = lagging;
        shared.deliver(node);
    }

    /// How the next appends of `node`, once it leads, come back.
    pub fn doubt(&self, node: usize, doubts: impl IntoIterator<Item = Doubt>) {
        self.lock().nodes[node].doubts.extend(doubts);
    }

    /// Commits `entry` under whoever led last, whoever proposed it.
    pub fn commit(&self, entry: Bytes) {
        let mut shared = self.lock();
        let leader = shared.leader.unwrap_or_default();
        shared.append(entry, leader);
    }

    /// The node that leads.
    pub fn leader(&self) -> Option<usize> {
        self.lock().leader
    }

    /// True if `node` runs and is not cut off.
    pub fn reaches(&self, node: usize) -> bool {
        let shared = self.lock();
        !shared.nodes[node].isolated && !shared.nodes[node].stopped
    }

    /// How many entries there are.
    pub fn entries(&self) -> usize {
        self.lock().entries.len()
    }

    /// The nodes' names.
    pub fn names(&self) -> Vec<NodeName> {
        self.lock().nodes.iter().map(|node| node.name.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Tells everybody in reach who leads.
    fn tell(&mut self) {
        let now = (self.term, self.leader);
        for node in self.nodes.iter_mut().filter(|node| !node.isolated) {
            if node.believes != now {
                node.believes = now;
                node.changes.advance(node.changes.get().next());
            }
        }
    }

    /// Gives `node` what it lacks.
    fn deliver(&mut self, node: usize) {
        let Self { nodes, entries, .. } = self;
        let member = &mut nodes[node];
        if member.isolated || member.lagging || member.stopped {
            return;
        }
        if let Some(applier) = &mut member.applier {
            let applied = applier.applied();
            let from = entries.partition_point(|entry| Some(entry.index) <= applied);
            applier.apply(&entries[from..]).expect("the test's entries can be applied");
        }
    }

    fn append(&mut self, entry: Bytes, leader: usize) -> LogIndex {
        let index = LogIndex { term: self.term, index: self.entries.len() as u64 + 1 };
        self.entries.push(Delivered { index, entry });
        self.deliver(leader);
        for other in 0..self.nodes.len() {
            self.deliver(other);
        }
        index
    }
}

impl Log for SharedLogNode {
    async fn append(&self, entry: Bytes) -> Result<LogIndex, AppendError> {
        // Others run between an append and its answer.
        tokio::task::yield_now().await;
        let doubt = |why: &str| Err(AppendError::InDoubt(why.to_owned()));
        let changes = {
            let mut shared = self.log.lock();
            let leads = shared.leader == Some(self.node);
            let member = &mut shared.nodes[self.node];
            if member.stopped {
                return Err(AppendError::Refused(Refusal::Stopped));
            }
            let (term, leader) = member.believes;
            if leader != Some(self.node) {
                let leader = leader.map(|leader| shared.nodes[leader].name.clone());
                return Err(AppendError::Refused(Refusal::NotLeader { term, leader }));
            }
            if leads && !member.isolated {
                return match member.doubts.pop_front() {
                    None => Ok(shared.append(entry, self.node)),
                    Some(Doubt::Lost) => doubt("the test wants it, and the entry is lost"),
                    Some(Doubt::Kept) => {
                        shared.append(entry, self.node);
                        doubt("the test wants it, and the entry is kept")
                    }
                };
            }
            self.changes.get()
        };
        // Cut off: it learns that it was deposed, or that nobody answers.
        let changed = self.changes.reach(changes.next());
        let deposed = tokio::time::timeout(CUT_OFF_FOR, changed).await.is_ok();
        doubt(if deposed { "the leader was deposed" } else { "no majority answers" })
    }

    async fn read_index(&self) -> Result<LogIndex, Fault> {
        tokio::task::yield_now().await;
        let mut shared = self.log.lock();
        let current = shared.nodes[self.node].believes == (shared.term, shared.leader);
        let reaches = !shared.nodes[self.node].isolated && shared.leader.is_some();
        let led = shared.leader.is_some_and(|leader| !shared.nodes[leader].isolated);
        if !current || !reaches || !led || shared.nodes[self.node].stopped {
            let message = "no leader confirms the end of the log";
            return Err(Fault::new(FaultCode::LogUnavailable, message));
        }
        shared.nodes[self.node].lagging = false;
        shared.deliver(self.node);
        Ok(shared.entries.last().map(|last| last.index).unwrap_or_default())
    }

    fn leadership(&self) -> Leadership {
        let shared = self.log.lock();
        let (term, leader) = shared.nodes[self.node].believes;
        let role = if leader == Some(self.node) { Role::Leader } else { Role::Follower };
        Leadership { term, role, leader: leader.map(|leader| shared.nodes[leader].name.clone()) }
    }

    async fn leadership_changed(&self, known: &Leadership) {
        loop {
            let changes = self.changes.get();
            if self.leadership() != *known {
                return;
            }
            self.changes.reach(changes.next()).await;
        }
    }

    async fn trim(&self, _upto: LogIndex) {}

    fn guarantees(&self) -> Guarantees {
        Guarantees::new("shared", Survives::Nothing)
    }

    async fn shutdown(&self) {
        self.log.lock().nodes[self.node].stopped = true;
    }
}

impl fmt::Debug for SharedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.lock();
        f.debug_struct("SharedLog")
            .field("term", &shared.term)
            .field("leader", &shared.leader)
            .field("entries", &shared.entries.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SharedLogNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLogNode").field("node", &self.node).finish_non_exhaustive()
    }
}
