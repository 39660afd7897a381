use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use catga_cluster::{Node, NodeId, Raft, Rt, Snapshot, TypeConfig, Vote};
use catga_journal::LogSnapshot;
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::{RPCOption, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{AsyncRuntime, OptionalSend};

use super::{Random, Trace};

/// How long a request may go unanswered before its link is taken for dead: three heartbeats.
const IDLE: Duration = Duration::from_millis(300);

/// The links between the nodes. Each request and each answer takes a time that the seed decides,
/// and is lost without a word where its way is cut.
#[derive(Clone, Debug)]
pub struct SimNet(Arc<Mutex<Links>>);

struct Links {
    random: Random,
    latency: (Duration, Duration),
    running: BTreeMap<NodeId, Raft>,
    /// Ways that nothing takes, each from one node to another.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Nodes that hear a leader's heartbeats, but get none of its entries.
    starved: BTreeSet<NodeId>,
    trace: Trace,
}

impl SimNet {
    pub fn new(seed: u64, trace: Trace) -> Self {
        Self(Arc::new(Mutex::new(Links {
            random: Random::new(seed),
            latency: (Duration::from_micros(100), Duration::from_millis(3)),
            running: BTreeMap::new(),
            cut: BTreeSet::new(),
            starved: BTreeSet::new(),
            trace,
        })))
    }

    /// What the node `from` reaches its peers by.
    pub fn of(&self, from: NodeId) -> Peers {
        Peers { net: self.clone(), from }
    }

    /// From now on `node` can be reached.
    pub fn join(&self, node: NodeId, raft: Raft) {
        self.lock().running.insert(node, raft);
    }

    /// From now on nothing listens at `node`.
    pub fn leave(&self, node: NodeId) {
        self.lock().running.remove(&node);
    }

    /// Loses everything on its way from `from` to `to`, one way only.
    pub fn cut(&self, from: NodeId, to: NodeId) {
        self.lock().cut.insert((from, to));
    }

    /// Loses all entries on their way to `to`, but not the heartbeats, which go a way of their own.
    pub fn starve(&self, to: NodeId) {
        self.lock().starved.insert(to);
    }

    pub fn join_up(&self, from: NodeId, to: NodeId) {
        self.lock().cut.remove(&(from, to));
    }

    pub fn heal(&self) {
        let mut links = self.lock();
        links.cut.clear();
        links.starved.clear();
    }

    /// The ways that are cut.
    pub fn cuts(&self) -> BTreeSet<(NodeId, NodeId)> {
        self.lock().cut.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Links> {
        self.0.lock().expect("no holder panics")
    }

    /// One way of a message: false if it was lost.
    async fn travel(&self, from: NodeId, to: NodeId) -> bool {
        let time = {
            let mut links = self.lock();
            let (least, most) = links.latency;
            links.random.time(least, most)
        };
        Rt::sleep(time).await;
        !self.lock().cut.contains(&(from, to))
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links")
            .field("running", &self.running.keys())
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

/// Makes the links of one node.
#[derive(Debug)]
pub struct Peers {
    net: SimNet,
    from: NodeId,
}

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Link;

    async fn new_client(&mut self, to: NodeId, _: &Node) -> Link {
        Link { net: self.net.clone(), from: self.from, to, heartbeats: false }
    }

    async fn new_heartbeat_client(&mut self, to: NodeId, node: &Node) -> Link {
        let link = self.new_client(to, node).await;
        Link { heartbeats: true, ..link }
    }
}

/// The way from one node to another.
#[derive(Clone, Debug)]
pub struct Link {
    net: SimNet,
    from: NodeId,
    to: NodeId,
    /// It carries heartbeats only.
    heartbeats: bool,
}

impl Link {
    /// Takes a request there and its answer back. `what` goes into the trace.
    async fn call<T, E, F>(
        &self,
        action: RPCTypes,
        what: impl fmt::Display,
        option: &RPCOption,
        handle: impl FnOnce(Raft) -> F + Send,
    ) -> Result<T, RPCError<TypeConfig>>
    where
        F: Future<Output = Result<T, E>> + Send,
        E: fmt::Display + Send,
        T: Send,
    {
        let (from, to) = (self.from, self.to);
        let trace = self.net.lock().trace.clone();
        trace.note(format_args!("{from}->{to} {action} {what}"));
        let limit = option.hard_ttl().max(IDLE);
        let silence = RPCError::Timeout(Timeout { action, id: from, target: to, timeout: limit });
        let call = async {
            let arrived = self.net.travel(from, to).await;
            let replicates = matches!(action, RPCTypes::AppendEntries) && !self.heartbeats;
            if !arrived || replicates && self.net.lock().starved.contains(&to) {
                return Lost::Silently;
            }
            // Nothing listens: the connection is refused.
            let Some(raft) = self.net.lock().running.get(&to).cloned() else {
                return Lost::Refused(format!("node {to} is not running"));
            };
            let answer = match handle(raft).await {
                Ok(answer) => answer,
                Err(error) => return Lost::Refused(error.to_string()),
            };
            match self.net.travel(to, from).await {
                true => Lost::No(answer),
                false => Lost::Silently,
            }
        };
        let start = tokio::time::Instant::now();
        match Rt::timeout(limit, call).await {
            Ok(Lost::No(answer)) => {
                trace.note(format_args!("{from}<-{to} {action}"));
                Ok(answer)
            }
            Ok(Lost::Refused(why)) => Err(RPCError::Unreachable(Unreachable::from_string(why))),
            Ok(Lost::Silently) => {
                Rt::sleep(limit.saturating_sub(start.elapsed())).await;
                Err(silence)
            }
            Err(_) => Err(silence),
        }
    }
}

enum Lost<T> {
    No(T),
    Refused(String),
    Silently,
}

impl RaftNetworkV2<TypeConfig> for Link {
    type SnapshotData = LogSnapshot;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let what = format!("{request}");
        self.call(RPCTypes::AppendEntries, what, &option, async |raft: Raft| {
            raft.append_entries(request).await
        })
        .await
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let what = format!("{request}");
        self.call(RPCTypes::Vote, what, &option, async |raft: Raft| raft.vote(request).await).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let what = format!("pre {request}");
        self.call(RPCTypes::Vote, what, &option, async |raft: Raft| raft.pre_vote(request).await)
            .await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let what = format!("{}", snapshot.meta);
        let call = self.call(RPCTypes::InstallSnapshot, what, &option, async |raft: Raft| {
            raft.install_full_snapshot(vote, snapshot).await
        });
        match Rt::select2(cancel, call).await {
            openraft::async_runtime::Select2::First(closed) => Err(closed.into()),
            openraft::async_runtime::Select2::Second(answer) => Ok(answer?),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let what = format!("{request}");
        self.call(RPCTypes::TransferLeader, what, &option, async |raft: Raft| {
            raft.handle_transfer_leader(request).await
        })
        .await
    }
}
