//! The log suite on nodes that share one list: it must pass, and find every bug put in.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use catga_core::{Fault, NodeName};
use catga_host::{Host, TokioHost};
use futures_util::FutureExt;

use crate::conformance::{
    Abilities, LogHarness, Random, Recorder, RecordingApplier, log_faults, log_suite,
};
use crate::{
    AppendError, Applier, Delivered, Guarantees, Leadership, Log, LogIndex, Refusal, Role, Survives,
};

const NODES: usize = 3;

/// What is wrong with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    DeliversAgainAfterRestart,
    DeliversOutOfOrder,
    ChangesEntries,
    LosesWhatItAcknowledged,
    DeliversWhatItRefused,
    NeverAnswersWhenCutOff,
    AcknowledgesBeforeDelivery,
    ReadsAnOldIndex,
    SkipsAfterAnInstall,
    TrimsWhatIsNeeded,
}

/// The number of the promise that each bug breaks, as the suite must report it.
const BUGS: [(Bug, u8); 10] = [
    (Bug::DeliversAgainAfterRestart, 1),
    (Bug::DeliversOutOfOrder, 1),
    (Bug::ChangesEntries, 2),
    (Bug::LosesWhatItAcknowledged, 3),
    (Bug::DeliversWhatItRefused, 4),
    (Bug::NeverAnswersWhenCutOff, 5),
    (Bug::AcknowledgesBeforeDelivery, 6),
    (Bug::ReadsAnOldIndex, 7),
    (Bug::SkipsAfterAnInstall, 1),
    (Bug::TrimsWhatIsNeeded, 1),
];

struct Toy {
    shared: Arc<Shared>,
    patience: Duration,
}

struct Shared(Mutex<Cluster>);

struct Cluster {
    bug: Bug,
    random: Random,
    term: u64,
    leader: Option<usize>,
    /// Committed, and what every node is to be given.
    entries: Vec<Delivered>,
    nodes: Vec<Node>,
}

struct Node {
    applier: Option<RecordingApplier>,
    /// Raised by a crash, so that the log of a former life knows that it is dead.
    life: u64,
    isolated: bool,
    stopped: bool,
    /// Who leads, as far as this node knows.
    believes: (u64, Option<usize>),
    /// What this node has dropped.
    trimmed: Option<LogIndex>,
}

struct ToyLog {
    shared: Arc<Shared>,
    node: usize,
    life: u64,
}

impl Toy {
    fn new(bug: Bug, seed: u64) -> Self {
        let node = || Node {
            applier: None,
            life: 0,
            isolated: false,
            stopped: false,
            believes: (0, None),
            trimmed: None,
        };
        let cluster = Cluster {
            bug,
            random: Random::new(seed),
            term: 0,
            leader: None,
            entries: Vec::new(),
            nodes: (0..NODES).map(|_| node()).collect(),
        };
        Self { shared: Arc::new(Shared(Mutex::new(cluster))), patience: Duration::from_secs(2) }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Cluster> {
        self.0.lock().unwrap()
    }
}

impl Cluster {
    fn reachable(&self, node: usize) -> bool {
        self.nodes[node].applier.is_some() && !self.nodes[node].isolated
    }

    /// Chooses a leader if there is none in reach, and brings everybody in reach up to date.
    fn settle(&mut self) {
        let reachable: Vec<_> = (0..NODES).filter(|node| self.reachable(*node)).collect();
        if reachable.len() * 2 <= NODES {
            return;
        }
        if !self.leader.is_some_and(|leader| reachable.contains(&leader)) {
            self.term += 1;
            self.leader = Some(reachable[self.random.below(reachable.len())]);
        }
        for node in reachable {
            self.nodes[node].believes = (self.term, self.leader);
            self.deliver(node);
        }
    }

    fn deliver(&mut self, node: usize) {
        let trimmed = self.nodes[node].trimmed;
        let Some(applier) = &mut self.nodes[node].applier else {
            return;
        };
        let applied = applier.applied();
        let missing = self.entries.iter().filter(|entry| {
            let needed = Some(entry.index) > applied;
            needed && (self.bug != Bug::TrimsWhatIsNeeded || Some(entry.index) > trimmed)
        });
        let mut missing: Vec<_> = missing.cloned().collect();
        if self.bug == Bug::DeliversOutOfOrder && missing.len() > 1 {
            missing.swap(0, 1);
        }
        if self.bug == Bug::ChangesEntries
            && let Some(first) = missing.first_mut()
            && first.entry.len() > 1000
        {
            first.entry.truncate(1000);
        }
        applier.apply(&missing).unwrap();
    }

    fn append(&mut self, node: usize, entry: &Bytes) -> LogIndex {
        let index = LogIndex { term: self.term, index: self.entries.len() as u64 + 1 };
        let entry = entry.clone();
        self.entries.push(Delivered { index, entry });
        let lazy = self.bug == Bug::AcknowledgesBeforeDelivery && self.random.below(2) == 0;
        for other in 0..NODES {
            if self.reachable(other) && !(lazy && other == node) {
                self.deliver(other);
            }
        }
        index
    }
}

impl LogHarness for Toy {
    type Log = ToyLog;

    fn nodes(&self) -> usize {
        NODES
    }

    fn host(&self) -> Arc<dyn Host> {
        Arc::new(TokioHost::current())
    }

    fn abilities(&self) -> Abilities {
        Abilities { isolate: true, crash: true, install: true }
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    async fn open(&mut self, recorder: &Recorder) {
        let mut cluster = self.shared.lock();
        for node in 0..NODES {
            cluster.nodes[node].applier = Some(recorder.applier(node));
        }
        cluster.settle();
    }

    fn log(&self, node: usize) -> Option<Arc<ToyLog>> {
        let cluster = self.shared.lock();
        cluster.nodes[node].applier.as_ref()?;
        Some(Arc::new(ToyLog {
            shared: Arc::clone(&self.shared),
            node,
            life: cluster.nodes[node].life,
        }))
    }

    async fn isolate(&mut self, node: usize) {
        let mut cluster = self.shared.lock();
        cluster.nodes[node].isolated = true;
        cluster.settle();
    }

    async fn heal(&mut self) {
        let mut cluster = self.shared.lock();
        cluster.nodes.iter_mut().for_each(|node| node.isolated = false);
        cluster.settle();
    }

    async fn crash(&mut self, node: usize) {
        let mut cluster = self.shared.lock();
        let gone = &mut cluster.nodes[node];
        gone.life += 1;
        gone.applier = None;
        if cluster.bug == Bug::LosesWhatItAcknowledged {
            cluster.entries.pop();
        }
        cluster.settle();
    }

    async fn restart(&mut self, node: usize, recorder: &Recorder) {
        let mut cluster = self.shared.lock();
        let again = cluster.bug == Bug::DeliversAgainAfterRestart;
        let last = cluster.entries.last().cloned();
        let mut applier = recorder.applier(node);
        if again && let Some(last) = last.filter(|last| applier.applied() == Some(last.index)) {
            applier.apply(&[last]).unwrap();
        }
        cluster.nodes[node].applier = Some(applier);
        cluster.settle();
    }

    async fn install_snapshot(&mut self, node: usize) {
        let mut cluster = self.shared.lock();
        let Some(leader) = cluster.leader.filter(|leader| cluster.reachable(*leader)) else {
            return;
        };
        let applier = cluster.nodes[leader].applier.as_mut().unwrap();
        let pending = applier.snapshot().unwrap();
        let mut snapshot = pending.build().now_or_never().unwrap().unwrap();
        if cluster.bug == Bug::SkipsAfterAnInstall
            && let Some(upto) = &mut snapshot.upto
        {
            upto.index += 1;
        }
        let applier = cluster.nodes[node].applier.as_mut().unwrap();
        applier.install(snapshot).now_or_never().unwrap().unwrap();
    }
}

impl ToyLog {
    fn doubt<T>() -> Result<T, AppendError> {
        Err(AppendError::InDoubt("a toy's doubt".to_owned()))
    }
}

impl Log for ToyLog {
    async fn append(&self, entry: Bytes) -> Result<LogIndex, AppendError> {
        tokio::task::yield_now().await;
        let cut_off = {
            let mut cluster = self.shared.lock();
            let me = &cluster.nodes[self.node];
            if me.life != self.life {
                None
            } else if me.stopped {
                return Err(AppendError::Refused(Refusal::Stopped));
            } else if me.believes.1 != Some(self.node) {
                let (term, leader) = me.believes;
                let leader = leader.map(|leader| NodeName::new(leader.to_string()));
                if cluster.bug == Bug::DeliversWhatItRefused && cluster.leader.is_some() {
                    cluster.append(self.node, &entry);
                }
                return Err(AppendError::Refused(Refusal::NotLeader { term, leader }));
            } else if cluster.leader == Some(self.node) && cluster.reachable(self.node) {
                // A doubt with and one without an entry, now and then.
                match cluster.random.below(20) {
                    0 => return Self::doubt(),
                    1 => {
                        cluster.append(self.node, &entry);
                        return Self::doubt();
                    }
                    _ => return Ok(cluster.append(self.node, &entry)),
                }
            } else {
                Some(cluster.bug != Bug::NeverAnswersWhenCutOff)
            }
        };
        if cut_off == Some(true) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            return Self::doubt();
        }
        std::future::pending().await
    }

    async fn read_index(&self) -> Result<LogIndex, Fault> {
        tokio::task::yield_now().await;
        let mut cluster = self.shared.lock();
        let me = &cluster.nodes[self.node];
        let alive = me.life == self.life && !me.stopped;
        if !alive || cluster.leader != Some(self.node) || !cluster.reachable(self.node) {
            return Err(Fault::internal("not confirmed"));
        }
        let old = u64::from(cluster.bug == Bug::ReadsAnOldIndex);
        cluster.deliver(self.node);
        let mut index = cluster.entries.last().map(|last| last.index).unwrap_or_default();
        index.index -= old;
        Ok(index)
    }

    fn leadership(&self) -> Leadership {
        let (term, leader) = self.shared.lock().nodes[self.node].believes;
        Leadership {
            term,
            role: match leader == Some(self.node) {
                true => Role::Leader,
                false => Role::Follower,
            },
            leader: leader.map(|leader| NodeName::new(leader.to_string())),
        }
    }

    async fn trim(&self, upto: LogIndex) {
        let mut cluster = self.shared.lock();
        // The bug drops what came after as well.
        let upto = LogIndex { index: upto.index + 5, ..upto };
        cluster.nodes[self.node].trimmed = Some(upto);
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::new("toy", Survives::Failover)
    }

    async fn shutdown(&self) {
        self.shared.lock().nodes[self.node].stopped = true;
    }
}

#[tokio::test(start_paused = true)]
async fn the_suite_passes_a_log_that_keeps_its_promises() {
    let report = log_suite(|| Toy::new(Bug::None, 1)).await;
    report.assert_kept();
    assert_eq!(report.not_applicable().count(), 0, "{report}");
    for seed in 0..10 {
        log_faults(Toy::new(Bug::None, seed), seed).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_suite_finds_every_bug_and_names_the_promise() {
    for (bug, guarantee) in BUGS {
        let report = log_suite(|| Toy::new(bug, 1)).await;
        let mut broken = report.findings().iter().filter_map(|(_, check)| check.as_ref().err());
        let found = broken.any(|violation| violation.guarantee == guarantee);
        assert!(found, "{bug:?} breaks {guarantee}:\n{report}");
    }
}
