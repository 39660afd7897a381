//! Whole replicas on simulated machines: with their logs on disk, their links and their journals.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use catga_cluster::{
    Address, CallError, Ground, LinkOptions, LinkState, Links, LogStorage, Node, NodeId, Options,
    Peer, Peers, RaftLog, Recipient, SnapshotFiles, StorageOptions, Store, StoreId, Topic,
};
use catga_core::{
    AttemptId, Fault, FaultCode, MessageId, NewEvent, NodeName, Offset, ReadLevel, RecordedEvent,
    SessionId, StreamName,
};
use catga_engine::{Directive, Effect, RecordedAnswer, Verdict};
use catga_host::{BoxFuture, Host};
use catga_journal::{
    Applier, CheckpointPace, DiskOptions, Filter, Journal, Log, Replica, ReplicaOptions, Role,
    verify_history,
};
use catga_testkit::VirtualHost;
use catga_testkit::disk::SimDisk;
use catga_testkit::network::SimNetwork;
use tokio::sync::watch;
use tokio::time::Instant;

/// How many bytes of a piece are sent at once.
pub(crate) const PART: usize = 512;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What went over links for snapshots, and what is done to it.
#[derive(Clone, Default)]
pub(crate) struct Shipments(Arc<Mutex<Shipped>>);

#[derive(Default)]
struct Shipped {
    requests: usize,
    bytes: usize,
    /// The request with this number gets a bit flipped.
    flip: Option<usize>,
}

impl Shipments {
    pub(crate) fn bytes(&self) -> usize {
        self.0.lock().expect("no holder panics").bytes
    }

    pub(crate) fn requests(&self) -> usize {
        self.0.lock().expect("no holder panics").requests
    }

    pub(crate) fn has_flipped(&self) -> bool {
        self.0.lock().expect("no holder panics").flip.is_none()
    }

    pub(crate) fn flip_after(&self, requests: usize) {
        let mut shipped = self.0.lock().expect("no holder panics");
        shipped.flip = Some(shipped.requests + requests);
    }
}

/// Links whose snapshots are counted.
struct Counted {
    links: Links,
    shipments: Shipments,
}

impl Peers for Counted {
    fn call(
        &self,
        to: &Recipient,
        topic: Topic,
        mut request: Vec<Bytes>,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        if topic == Topic::Snapshot {
            let mut shipped = self.shipments.0.lock().expect("no holder panics");
            shipped.requests += 1;
            // What stands behind the head is the piece's own.
            let body = request.get(1).map_or(0, Bytes::len);
            shipped.bytes += body;
            if shipped.flip == Some(shipped.requests) && body > 0 {
                shipped.flip = None;
                let mut changed = request[1].to_vec();
                changed[body / 2] ^= 4;
                request[1] = changed.into();
            }
        }
        self.links.call(to, topic, request, within)
    }

    fn link(&self, address: &Address) -> watch::Receiver<LinkState> {
        self.links.link(address)
    }
}

struct Running {
    replica: Arc<Replica<RaftLog>>,
    /// With the last clone they end.
    _links: Links,
}

/// A network of machines and the nodes that run on some of them.
pub(crate) struct Nodes {
    pub(crate) network: SimNetwork,
    pub(crate) machines: Vec<Arc<VirtualHost>>,
    running: Vec<RefCell<Option<Running>>>,
    pub(crate) shipments: Shipments,
    sequence: RefCell<(SessionId, u64)>,
    /// How often a file of the history is read through.
    scrub: Duration,
}

/// The log's files need closing, and nothing else does.
struct OnDisk(LogStorage);

impl Ground for OnDisk {
    fn is_full(&self) -> bool {
        self.0.is_full()
    }

    fn flushed(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.0.flushed())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.shutdown())
    }
}

pub(crate) fn name(node: usize) -> String {
    format!("node{}", node + 1)
}

pub(crate) fn address(node: usize) -> Address {
    format!("{}:5001", name(node)).into()
}

pub(crate) fn peer(node: usize) -> Peer {
    let id = node as NodeId + 1;
    Peer { name: NodeName::new(name(node)), id, store: StoreId(u128::from(id)) }
}

pub(crate) fn member(node: usize) -> (NodeId, Node) {
    let Peer { name, id, store } = peer(node);
    (id, Node::new(name, address(node).to_string(), store))
}

impl Nodes {
    /// Machines of which the first three run, and one of these leads.
    pub(crate) async fn started(test: &VirtualHost, seed: u64, scrub: Duration) -> Self {
        const MACHINES: usize = 4;
        let network = SimNetwork::new(seed, test.trace());
        let machine = |node: usize| {
            let disk = SimDisk::new(seed * 10 + node as u64);
            disk.set_sync_time(ms(0)..=ms(1));
            VirtualHost::in_network(seed * 10 + node as u64, disk, &network, &name(node))
        };
        let machines = (0..MACHINES).map(machine).collect();
        let running = (0..MACHINES).map(|_| RefCell::default()).collect();
        let (shipments, sequence) = (Shipments::default(), RefCell::default());
        let this = Self { network, machines, running, shipments, sequence, scrub };
        for node in 0..3 {
            this.start(node).await;
        }
        let members: BTreeMap<_, _> = (0..3).map(member).collect();
        this.at(0).log().initialize(members).await.expect("it is new, and a member");
        this.wait_for("a leader", || this.leader().is_some()).await;
        let mut effect = Effect::new(MessageId::new(SessionId(0), 1), AttemptId::default());
        effect.directive = Some(Directive::OpenSession { node: "test".to_owned(), nonce: 1 });
        let opened = this.commit_at_leader(&effect).await;
        *this.sequence.borrow_mut() = (SessionId(opened.0), 0);
        this
    }

    /// Starts the node on what its disk holds.
    pub(crate) async fn start(&self, node: usize) {
        let host: Arc<dyn Host> = self.machines[node].clone();
        let mut options = LinkOptions::new("nodes", peer(node), address(node));
        options.upgrade = false;
        let links = Links::new(Arc::clone(&host), options);
        let listener = host.listen(([0, 0, 0, 0], 5001).into()).await.expect("it listens");
        let accepting = links.clone();
        drop(host.spawn("listen", Box::pin(async move { accepting.listen(listener).await })));
        links.connect_to(&(0..self.machines.len()).map(address).collect::<Vec<_>>());
        let files = host.files();
        let snapshots = Path::new("/data/snapshots");
        files.create_dir(snapshots).await.expect("a directory");
        // Little enough that a few dozen effects make checkpoints, segments and a trimmed log.
        let mut pace = CheckpointPace::default();
        (pace.bytes, pace.interval, pace.log_kept_bytes) = (1500, ms(20), 1500);
        let disk = DiskOptions::new(host.files(), "/data/journal".into());
        let disk = disk.with_pace(pace).with_segment_bytes(3000).with_mending();
        let options = ReplicaOptions::new(peer(node).name).with_incarnation(7).with_disk(disk);
        let peers = Counted { links: links.clone(), shipments: self.shipments.clone() };
        let raft = {
            let mut options = Options::new(peer(node).id, host.random());
            options.snapshot_part_bytes = PART;
            options.scrub_interval = self.scrub;
            options
        };
        let opened = Replica::open(Arc::clone(&host), options, async |applier| {
            let files = host.files();
            let log = Path::new("/data/log");
            let log = LogStorage::open(&host, host.files(), log, StorageOptions::default()).await;
            let log = log.map_err(Fault::from)?;
            let snapshots = SnapshotFiles::open(
                &host,
                files,
                snapshots.into(),
                applier.applied(),
                log.purged(),
            );
            let store = Store {
                log: log.clone(),
                snapshots: Arc::new(snapshots.map_err(Fault::from)?),
                ground: Arc::new(OnDisk(log)),
            };
            let log = RaftLog::open(&host, raft, store, Arc::new(peers), Box::new(applier)).await;
            log.map_err(|error| Fault::new(FaultCode::LogUnavailable, error.to_string()))
        });
        let replica = opened.await.expect("it opens");
        links.serve(replica.log().serve());
        self.running[node].replace(Some(Running { replica, _links: links }));
    }

    pub(crate) fn running(&self, node: usize) -> Option<Arc<Replica<RaftLog>>> {
        self.running[node].borrow().as_ref().map(|running| Arc::clone(&running.replica))
    }

    pub(crate) fn at(&self, node: usize) -> Arc<Replica<RaftLog>> {
        self.running(node).expect("the node runs")
    }

    /// Who leads in the newest term.
    pub(crate) fn leader(&self) -> Option<usize> {
        let leads = |node: &usize| {
            self.running(*node).is_some_and(|it| it.log().leadership().role == Role::Leader)
        };
        (0..3).filter(leads).max_by_key(|node| Log::term(&**self.at(*node).log()))
    }

    pub(crate) async fn wait_for(&self, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < ms(60_000), "no {what} in time");
            tokio::time::sleep(ms(1)).await;
        }
    }

    pub(crate) async fn commit_at_leader(&self, effect: &Effect) -> Offset {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < ms(20_000), "it is not acknowledged");
            if let Some(leader) = self.leader() {
                let committed = self.at(leader).commit(effect.clone()).await;
                match committed.map(|committed| committed.verdict) {
                    Ok(Verdict::Counted { offset } | Verdict::Duplicate { of: offset }) => {
                        return offset;
                    }
                    Ok(other) => panic!("{other:?}"),
                    Err(_) => {}
                }
            }
            tokio::time::sleep(ms(1)).await;
        }
    }

    /// Commits `count` effects with an event each, five at a time.
    pub(crate) async fn commit(&self, count: usize) {
        let numbers: Vec<_> = (0..count).collect();
        for five in numbers.chunks(5) {
            let effects: Vec<_> = five.iter().map(|_| self.effect()).collect();
            let committed = effects.iter().map(|effect| self.commit_at_leader(effect));
            futures_util::future::join_all(committed).await;
        }
    }

    pub(crate) fn effect(&self) -> Effect {
        let (session, sequence) = {
            let mut sequence = self.sequence.borrow_mut();
            sequence.1 += 1;
            *sequence
        };
        let message = MessageId::new(session, sequence);
        let attempt = AttemptId { message, term: 1, sequence: 1 };
        let mut effect = Effect::new(message, attempt);
        effect.answer = RecordedAnswer::Reply(Bytes::from(format!("reply {sequence}")));
        effect.events.push(NewEvent {
            stream: StreamName::from_stored(format!("thing-{}", sequence % 9)),
            name: "thing.made".into(),
            schema: 1,
            tags: Vec::new(),
            payload: Bytes::from(format!("event {sequence} {}", "x".repeat(60))),
        });
        effect
    }

    /// The process of the node dies, and with `power` its machine does.
    pub(crate) async fn end(&self, node: usize, power: bool) {
        let running = self.running[node].take();
        match power {
            true => self.machines[node].power_cut().await,
            false => self.machines[node].crash().await,
        }
        drop(running);
    }

    /// Commits until the others have dropped what `node`, which is down, has not got.
    pub(crate) async fn leave_behind(&self, node: usize, last: Option<u64>) {
        let others = (0..3).filter(|other| *other != node);
        let others: Vec<_> = others.filter(|other| self.running(*other).is_some()).collect();
        let trimmed = |other: &usize| self.at(*other).log().progress().purged > last;
        for round in 0.. {
            assert!(round < 100, "the log is not trimmed");
            self.commit(10).await;
            // Time for a checkpoint.
            tokio::time::sleep(ms(25)).await;
            if others.iter().all(trimmed) {
                return;
            }
        }
    }

    /// Until `node` holds all that the leader has.
    pub(crate) async fn settled(&self, node: usize) {
        let leader = self.leader().expect("one leads");
        let offset = self.at(leader).applied().get();
        let arrived = || self.running(node).is_some_and(|it| it.applied().get() >= offset);
        self.wait_for("delivery of everything", arrived).await;
    }

    /// That all nodes that run show the same, and have nothing damaged.
    pub(crate) async fn check(&self) {
        let nodes: Vec<_> =
            (0..self.machines.len()).filter(|node| self.running(*node).is_some()).collect();
        let leader = self.leader().expect("one leads");
        self.at(leader).head(ReadLevel::Linearizable).await.expect("it leads");
        for node in &nodes {
            self.settled(*node).await;
        }
        let (hash, events) = (self.at(leader).rolling_hash(), self.events(leader).await);
        for node in nodes {
            let at = self.at(node);
            assert_eq!(at.rolling_hash(), hash, "node {node}");
            assert_eq!(self.events(node).await, events, "node {node}");
            for offset in [1, hash.0.0 / 3, hash.0.0 / 2, hash.0.0] {
                at.outcome(Offset(offset)).await.expect("its answer");
            }
            let files = self.machines[node].files();
            let reports = verify_history(&files, "/data/journal".as_ref()).into_iter();
            let damage: Vec<_> = reports.filter(|report| report.found.is_err()).collect();
            assert_eq!(damage, [], "node {node}");
        }
    }

    pub(crate) async fn events(&self, node: usize) -> Vec<RecordedEvent> {
        let mut events = Vec::new();
        let (mut after, upto) = (Offset::ZERO, self.at(node).applied().get());
        while after < upto {
            let page = self.at(node).page(after, &Filter::default(), 20).await.expect("a page");
            events.extend(page.events);
            after = page.upto;
        }
        events
    }

    /// Ends a follower and leaves it behind; which one.
    pub(crate) async fn lagging(&self) -> usize {
        let leader = self.leader().expect("one leads");
        let follower = (leader + 1) % 3;
        let last = self.at(follower).log().progress().last;
        self.end(follower, false).await;
        self.leave_behind(follower, last).await;
        follower
    }

    /// That what went over is little more than the state that `node` has now. Tables and engines of
    /// several moments, and a part for each interruption, may come on top.
    pub(crate) fn check_once(&self, node: usize) {
        let (shipped, history) = (self.shipments.bytes(), history_bytes(&self.machines[node]));
        assert!(shipped < history * 4 / 3, "{shipped} bytes for a history of {history}");
    }

    pub(crate) async fn wait_for_requests(&self, count: usize) {
        let before = self.shipments.requests();
        let shipped = || self.shipments.requests() >= before + count;
        self.wait_for("parts of a snapshot", shipped).await;
    }
}

/// Runs `test` on nodes whose leader has acknowledged some effects, for some seeds.
pub(crate) fn on_nodes(test: impl AsyncFn(&Nodes)) {
    on_nodes_scrubbed(ms(30), test);
}

/// The same, where files are read through as often as `scrub` says.
pub(crate) fn on_nodes_scrubbed(scrub: Duration, test: impl AsyncFn(&Nodes)) {
    for seed in 1..=3 {
        catga_testkit::run(seed, async |host| {
            let nodes = Nodes::started(&host, seed, scrub).await;
            nodes.commit(20).await;
            test(&nodes).await;
            nodes.commit(5).await;
            nodes.check().await;
        });
    }
}

/// How many bytes the history of a machine has.
pub(crate) fn history_bytes(machine: &VirtualHost) -> usize {
    let disk = machine.disk();
    let paths = disk.paths().into_iter().filter(|path| path.starts_with("/data/journal/history/"));
    paths.map(|path| disk.contents(path).map_or(0, |found| found.len())).sum()
}
