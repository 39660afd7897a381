use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use catga_cluster::{
    Address, CallError, LinkState, NodeId, Peer, Peers, Recipient, Rt, Serve, StoreId, Tasks, Topic,
};
use catga_core::NodeName;
use catga_host::BoxFuture;
use openraft::AsyncRuntime;
use tokio::sync::watch;

use super::{Random, Trace};

/// How long nothing may be heard of a node before its link says so.
const SILENCE: Duration = Duration::from_millis(100);

/// The links between the nodes. Each request and each answer takes a time that the seed decides,
/// and is lost without a word where its way is cut. Requests may overtake each other, which real
/// lanes do not let them.
#[derive(Clone, Debug)]
pub struct SimNet(Arc<Mutex<Net>>);

struct Net {
    random: Random,
    latency: (Duration, Duration),
    running: BTreeMap<NodeId, Running>,
    lives: u64,
    /// Ways that nothing takes, each from one node to another.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Nodes that hear a leader's heartbeats, but get none of its entries.
    starved: BTreeSet<NodeId>,
    /// What nobody gets: requests of these topics.
    lost: BTreeSet<Number>,
    /// How one node sees another, with a number that counts what has happened to the link.
    links: BTreeMap<(NodeId, NodeId), (watch::Sender<LinkState>, u64)>,
    /// Requests of each topic that were handled.
    handled: BTreeMap<Number, usize>,
    /// Requests of this topic get through no more, once so many were handled.
    lose_after: Option<(Number, usize)>,
    /// The network's own: what is under way outlives its sender.
    tasks: Tasks,
    trace: Trace,
}

/// A topic by its number: topics have no order of their own.
type Number = u8;

#[derive(Clone)]
struct Running {
    life: u64,
    serve: Arc<dyn Serve>,
}

impl SimNet {
    pub fn new(seed: u64, trace: Trace) -> Self {
        Self(Arc::new(Mutex::new(Net {
            random: Random::new(seed),
            latency: (Duration::from_micros(100), Duration::from_millis(3)),
            running: BTreeMap::new(),
            lives: 0,
            cut: BTreeSet::new(),
            starved: BTreeSet::new(),
            lost: BTreeSet::new(),
            links: BTreeMap::new(),
            handled: BTreeMap::new(),
            lose_after: None,
            tasks: Tasks::default(),
            trace,
        })))
    }

    pub fn address(node: NodeId) -> String {
        format!("node{node}:5001")
    }

    /// What the node `from` reaches its peers by.
    pub fn of(&self, from: NodeId) -> Arc<dyn Peers> {
        Arc::new(SimPeers { net: self.clone(), from })
    }

    /// From now on `node` can be reached.
    pub fn join(&self, node: NodeId, serve: Arc<dyn Serve>) {
        let others = {
            let mut net = self.lock();
            net.lives += 1;
            let life = net.lives;
            net.running.insert(node, Running { life, serve });
            for ((from, _), (link, _)) in &net.links {
                // It knows nothing of anybody yet.
                if *from == node {
                    link.send_replace(LinkState::Connecting);
                }
            }
            net.known()
        };
        for other in others {
            self.look(node, other);
            self.look(other, node);
        }
    }

    /// The node's process ends: from now on nothing listens there.
    pub fn leave(&self, node: NodeId) {
        let others = {
            let mut net = self.lock();
            net.running.remove(&node);
            net.known()
        };
        others.into_iter().for_each(|other| self.look(other, node));
    }

    /// Loses everything on its way from `from` to `to`, one way only.
    pub fn cut(&self, from: NodeId, to: NodeId) {
        self.lock().cut.insert((from, to));
        self.look(to, from);
    }

    /// Loses all entries on their way to `to`, but not the heartbeats, which go a way of their own.
    pub fn starve(&self, to: NodeId) {
        self.lock().starved.insert(to);
    }

    /// Loses all requests of `topic`.
    pub fn lose(&self, topic: Topic) {
        self.lock().lost.insert(topic as u8);
    }

    /// Loses all requests of `topic` once `count` more were handled.
    pub fn lose_after(&self, topic: Topic, count: usize) {
        let handled = self.handled(topic);
        self.lock().lose_after = Some((topic as u8, handled + count));
    }

    /// How many requests of `topic` were handled, by any node.
    pub fn handled(&self, topic: Topic) -> usize {
        self.lock().handled.get(&(topic as u8)).copied().unwrap_or_default()
    }

    pub fn join_up(&self, from: NodeId, to: NodeId) {
        self.lock().cut.remove(&(from, to));
        self.look(to, from);
    }

    pub fn heal(&self) {
        let cut = {
            let mut net = self.lock();
            net.starved.clear();
            net.lost.clear();
            net.lose_after = None;
            std::mem::take(&mut net.cut)
        };
        cut.into_iter().for_each(|(from, to)| self.look(to, from));
    }

    /// The ways that are cut.
    pub fn cuts(&self) -> BTreeSet<(NodeId, NodeId)> {
        self.lock().cut.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Net> {
        self.0.lock().expect("no holder panics")
    }

    /// Has `from` see in a while how its link to `to` is now, unless something else happens to it
    /// before.
    fn look(&self, from: NodeId, to: NodeId) {
        if from == to {
            return;
        }
        let (after, event, tasks) = {
            let mut net = self.lock();
            let silent = net.cut.contains(&(to, from));
            let after = if silent { SILENCE } else { net.delay() };
            let (_, events) = net.link(from, to);
            *events += 1;
            (after, *events, net.tasks.clone())
        };
        let net = self.clone();
        let seen = async move {
            Rt::sleep(after).await;
            let mut net = net.lock();
            let silent = net.cut.contains(&(to, from));
            let runs = net.running.contains_key(&to);
            let (link, events) = net.link(from, to);
            if *events != event {
                return;
            }
            let was = link.borrow().clone();
            let state = match (silent, runs) {
                (true, _) if was == LinkState::Connecting => LinkState::Connecting,
                (true, _) => LinkState::Silent,
                (false, true) => LinkState::Up(peer(to)),
                (false, false) if was == LinkState::Connecting => LinkState::Connecting,
                (false, false) => LinkState::Gone,
            };
            if state != was {
                link.send_replace(state.clone());
                net.trace.note(format_args!("{from} sees {to} {}", shown(&state)));
            }
        };
        // Not one of the node's tasks, whose end it may have to tell of.
        self.spawn(&tasks, seen);
    }

    fn spawn(&self, tasks: &Tasks, task: impl Future<Output = ()> + Send + 'static) {
        let spawn = tasks.scope(async { drop(Rt::spawn(task)) });
        futures_util::FutureExt::now_or_never(spawn).expect("spawning does not wait");
    }

    /// One way of a message: false if it was lost.
    async fn travel(&self, from: NodeId, to: NodeId) -> bool {
        let time = self.lock().delay();
        Rt::sleep(time).await;
        !self.lock().cut.contains(&(from, to))
    }

    /// Takes a request there and its answer back; none if either was lost on its way.
    async fn carry(
        &self,
        (from, to): (NodeId, NodeId),
        topic: Topic,
        request: Bytes,
    ) -> Option<Result<Bytes, CallError>> {
        let arrived = self.travel(from, to).await;
        let running = {
            let mut net = self.lock();
            let heartbeat = topic != Topic::Append;
            let handled = net.handled.get(&(topic as u8)).copied().unwrap_or_default();
            let over =
                net.lose_after.is_some_and(|(of, most)| of == topic as u8 && handled >= most);
            let starved = net.starved.contains(&to) && !heartbeat;
            if !arrived || over || starved || net.lost.contains(&(topic as u8)) {
                return None;
            }
            let running = net.running.get(&to).cloned();
            if running.is_some() {
                *net.handled.entry(topic as u8).or_default() += 1;
            }
            running
        };
        // Nothing listens: the connection is refused.
        let Some(running) = running else {
            return Some(Err(CallError::NotSent(format!("node {to} is not running"))));
        };
        let answer = running.serve.serve(&peer(from), topic, request).await;
        let lives = self.lock().running.get(&to).is_some_and(|now| now.life == running.life);
        if !lives {
            return Some(Err(CallError::Lost(format!("node {to} has ended"))));
        }
        let back = self.travel(to, from).await;
        back.then(|| answer.map_err(CallError::NotSent))
    }
}

impl Net {
    fn delay(&mut self) -> Duration {
        let (least, most) = self.latency;
        self.random.time(least, most)
    }

    fn link(&mut self, from: NodeId, to: NodeId) -> &mut (watch::Sender<LinkState>, u64) {
        let link = self.links.entry((from, to));
        link.or_insert_with(|| (watch::Sender::new(LinkState::Connecting), 0))
    }

    /// Every node that runs, or that somebody has asked for.
    fn known(&self) -> BTreeSet<NodeId> {
        let asked = self.links.keys().flat_map(|(from, to)| [*from, *to]);
        asked.chain(self.running.keys().copied()).collect()
    }
}

fn peer(id: NodeId) -> Peer {
    let name = NodeName::new(format!("node{id}"));
    Peer { name, id, store: StoreId(u128::from(id)) }
}

fn shown(state: &LinkState) -> &'static str {
    match state {
        LinkState::Connecting => "connecting",
        LinkState::Up(_) => "up",
        LinkState::Gone => "gone",
        LinkState::Silent => "silent",
        _ => "otherwise",
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("running", &self.running.keys())
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

/// How one node reaches the others.
#[derive(Debug)]
struct SimPeers {
    net: SimNet,
    from: NodeId,
}

fn node_at(address: &str) -> NodeId {
    let number = address.strip_prefix("node").and_then(|rest| rest.split(':').next());
    number.and_then(|number| number.parse().ok()).expect("an address of the simulation")
}

impl Peers for SimPeers {
    fn call(
        &self,
        to: &Recipient,
        topic: Topic,
        request: Vec<Bytes>,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        let (net, from) = (self.net.clone(), self.from);
        let node = node_at(&to.address);
        assert!(to.id.is_none_or(|id| id == node), "another node than {node} is meant: {to:?}");
        let request: Bytes = request.concat().into();
        Box::pin(async move {
            let (trace, tasks) = {
                let net = net.lock();
                (net.trace.clone(), net.tasks.clone())
            };
            trace.note(format_args!("{from}->{node} {topic:?} {}", crc32c::crc32c(&request)));
            let (done, answer) = tokio::sync::oneshot::channel();
            let carried = net.clone();
            let carry = async move {
                if let Some(answer) = carried.carry((from, node), topic, request).await {
                    // Whoever asked may have given up.
                    let _ = done.send(answer);
                } else {
                    // Lost without a word: only time tells.
                    Rt::sleep(within).await;
                }
            };
            net.spawn(&tasks, carry);
            let answer = Rt::timeout(within, answer).await;
            trace.note(format_args!("{from}<-{node} {topic:?}"));
            match answer {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) | Err(_) => Err(CallError::TimedOut),
            }
        })
    }

    fn link(&self, address: &Address) -> watch::Receiver<LinkState> {
        self.net.lock().link(self.from, node_at(address)).0.subscribe()
    }
}
