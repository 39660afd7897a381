//! Three nodes as they are in production: the log on segment files, the links over streams of
//! bytes. Only the machines, their disks and the network between them are simulated.

mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_cluster::{
    Address, Ground, LinkOptions, Links, LogStorage, Node, NodeId, Options, Peer, RaftLog,
    SnapshotFiles, StorageOptions, Store, StoreId,
};
use catga_core::NodeName;
use catga_host::{BoxFuture, Host};
use catga_journal::conformance::Recorder;
use catga_journal::{Applier, Log, Role};
use catga_testkit::VirtualHost;
use catga_testkit::disk::SimDisk;
use catga_testkit::network::SimNetwork;
use tokio::time::Instant;

use support::Tally;

const NODES: usize = 3;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A network of three machines and the nodes that run on them.
struct Trio {
    network: SimNetwork,
    machines: Vec<Arc<VirtualHost>>,
    nodes: Vec<RefCell<Option<Running>>>,
    recorder: Recorder,
}

struct Running {
    log: Arc<RaftLog>,
    /// With the last clone they end.
    _links: Links,
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

fn name(node: usize) -> String {
    format!("node{}", node + 1)
}

fn address(node: usize) -> Address {
    format!("{}:5001", name(node)).into()
}

fn peer(node: usize) -> Peer {
    let id = node as NodeId + 1;
    Peer { name: NodeName::new(name(node)), id, store: StoreId(u128::from(id)) }
}

impl Trio {
    /// Three nodes of which one leads.
    async fn started(test: &VirtualHost, seed: u64) -> Self {
        let network = SimNetwork::new(seed, test.trace());
        let machine = |node: usize| {
            let disk = SimDisk::new(seed * 10 + node as u64);
            disk.set_sync_time(ms(1)..=ms(2));
            VirtualHost::in_network(seed * 10 + node as u64, disk, &network, &name(node))
        };
        let machines = (0..NODES).map(machine).collect();
        let nodes = (0..NODES).map(|_| RefCell::default()).collect();
        let this = Self { network, machines, nodes, recorder: Recorder::default() };
        let mut members = BTreeMap::new();
        for node in 0..NODES {
            this.start(node).await;
            let Peer { name, id, store } = peer(node);
            members.insert(id, Node::new(name, address(node).to_string(), store));
        }
        this.at(0).initialize(members).await.expect("it is new, and a member");
        this.wait_for("a leader", || this.leader().is_some()).await;
        this
    }

    /// Starts the node on what its disk holds.
    async fn start(&self, node: usize) {
        let host: Arc<dyn Host> = self.machines[node].clone();
        let mut options = LinkOptions::new("trio", peer(node), address(node));
        options.upgrade = false;
        let links = Links::new(Arc::clone(&host), options);
        let listener = host.listen(([0, 0, 0, 0], 5001).into()).await.expect("it listens");
        let accepting = links.clone();
        drop(host.spawn("listen", Box::pin(async move { accepting.listen(listener).await })));
        links.connect_to(&(0..NODES).map(address).collect::<Vec<_>>());
        let (files, options) = (host.files(), StorageOptions::default());
        let snapshots = Path::new("/data/snapshots");
        files.create_dir(snapshots).await.expect("a directory");
        let log = LogStorage::open(&host, host.files(), Path::new("/data/log"), options).await;
        let log = log.expect("a log as it was left");
        let applier = self.recorder.applier(node);
        let snapshots =
            SnapshotFiles::open(&host, files, snapshots.into(), applier.applied(), log.purged());
        let store = Store {
            log: log.clone(),
            snapshots: Arc::new(snapshots.expect("no snapshot, or a good one")),
            ground: Arc::new(OnDisk(log)),
        };
        let options = Options::new(peer(node).id, host.random());
        let peers = Arc::new(links.clone());
        let opened = RaftLog::open(&host, options, store, peers, Box::new(applier)).await;
        let log = Arc::new(opened.expect("the log opens"));
        links.serve(log.serve());
        self.nodes[node].replace(Some(Running { log, _links: links }));
    }

    fn running(&self, node: usize) -> Option<Arc<RaftLog>> {
        self.nodes[node].borrow().as_ref().map(|running| Arc::clone(&running.log))
    }

    fn at(&self, node: usize) -> Arc<RaftLog> {
        self.running(node).expect("the node runs")
    }

    /// Who leads in the newest term.
    fn leader(&self) -> Option<usize> {
        let leads = |node: &usize| {
            self.running(*node).is_some_and(|log| log.leadership().role == Role::Leader)
        };
        (0..NODES).filter(leads).max_by_key(|node| Log::term(&*self.at(*node)))
    }

    fn term(&self) -> u64 {
        let terms = (0..NODES).filter_map(|node| self.running(node)).map(|log| Log::term(&*log));
        terms.max().expect("one runs")
    }

    async fn wait_for(&self, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < ms(30_000), "no {what} in time");
            tokio::time::sleep(ms(1)).await;
        }
    }

    /// Appends where the leader is, until it is acknowledged; how long that took.
    async fn write(&self, tally: &mut Tally, entry: &str) -> Duration {
        let start = Instant::now();
        for attempt in 0.. {
            assert!(start.elapsed() < ms(10_000), "{entry} is not acknowledged");
            if let Some(leader) = self.leader() {
                let entry = Bytes::from(format!("{entry}-{attempt}"));
                let answer = self.at(leader).append(entry.clone()).await;
                let acknowledged = answer.is_ok();
                tally.note(entry, answer);
                if acknowledged {
                    break;
                }
            }
            tokio::time::sleep(ms(1)).await;
        }
        start.elapsed()
    }

    /// The process of the node dies, and with `power` its machine does.
    async fn end(&self, node: usize, power: bool) {
        let running = self.nodes[node].take();
        match power {
            true => self.machines[node].power_cut().await,
            false => self.machines[node].crash().await,
        }
        drop(running);
    }

    async fn settled(&self, tally: &Tally) {
        let arrived = || tally.arrived(NODES, &self.recorder);
        self.wait_for("delivery of everything on all nodes", arrived).await;
        tally.check(NODES, &self.recorder);
    }
}

/// Runs `test` on three nodes whose leader has acknowledged entries, for some seeds.
fn on_three_nodes(test: impl AsyncFn(&Trio, &mut Tally, usize)) {
    for seed in 1..=8 {
        catga_testkit::run(seed, async |host| {
            let trio = Trio::started(&host, seed).await;
            let mut tally = Tally::default();
            for number in 0..5 {
                trio.write(&mut tally, &format!("first-{number}")).await;
            }
            let leader = trio.leader().expect("one leads");
            test(&trio, &mut tally, leader).await;
            trio.settled(&tally).await;
        });
    }
}

#[test]
fn when_the_leader_is_killed_another_acknowledges_within_100_ms() {
    on_three_nodes(async |trio, tally, leader| {
        let before = trio.term();
        tally.keep(leader, &trio.recorder);
        trio.end(leader, false).await;
        let took = trio.write(tally, "next").await;
        assert!(took <= ms(100), "{took:?}");
        assert_eq!(trio.term(), before + 1, "one election");
        trio.start(leader).await;
    });
}

#[test]
fn when_the_leader_loses_its_power_another_acknowledges_within_250_ms() {
    on_three_nodes(async |trio, tally, leader| {
        tally.keep(leader, &trio.recorder);
        trio.end(leader, true).await;
        let took = trio.write(tally, "next").await;
        assert!(took <= ms(250), "{took:?}");
        trio.start(leader).await;
    });
}

#[test]
fn a_leader_that_stands_still_is_replaced_and_follows_when_it_wakes() {
    on_three_nodes(async |trio, tally, leader| {
        let paused = trio.nodes[leader].take().expect("it runs");
        trio.machines[leader].pause();
        let took = trio.write(tally, "next").await;
        assert!(took <= ms(250), "{took:?}");
        trio.machines[leader].resume();
        let follows = || paused.log.leadership().role == Role::Follower;
        trio.wait_for("end of the old leadership", follows).await;
        trio.nodes[leader].replace(Some(paused));
        trio.write(tally, "after").await;
    });
}

#[test]
fn one_cut_link_changes_no_leader() {
    on_three_nodes(async |trio, tally, leader| {
        let (before, other) = (trio.term(), (leader + 1) % NODES);
        trio.network.cut(&name(leader), &name(other));
        trio.network.cut(&name(other), &name(leader));
        let start = Instant::now();
        for number in 0.. {
            let took = trio.write(tally, &format!("cut-{number}")).await;
            assert!(took <= ms(50), "{took:?}");
            if start.elapsed() > ms(2_000) {
                break;
            }
        }
        assert_eq!(trio.term(), before);
        trio.network.heal_all();
        trio.settled(tally).await;
        assert_eq!(trio.term(), before, "nor does its healing");
    });
}

#[test]
fn all_lose_their_power_and_everything_acknowledged_is_there() {
    on_three_nodes(async |trio, tally, _| {
        for round in 0..5 {
            trio.write(tally, &format!("round-{round}")).await;
            for node in 0..NODES {
                tally.keep(node, &trio.recorder);
                trio.end(node, true).await;
            }
            for node in 0..NODES {
                trio.start(node).await;
            }
        }
        trio.write(tally, "last").await;
    });
}
