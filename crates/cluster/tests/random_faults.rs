//! Random faults, many seeds: whatever happens, the promises of the log hold.

mod support;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_cluster::{RaftLog, Rt};
use catga_journal::conformance::{LogHarness, Recorder};
use catga_journal::planted::{Planted, plant};
use catga_journal::{AppendError, Log, Refusal};
use futures_util::future::{join, join_all};
use openraft::AsyncRuntime;

use support::{Cluster, Lost, Random, Tally, simulate};

const NODES: usize = 3;
const CLIENTS: u64 = 3;
/// How long faults go on, in simulated time.
const TROUBLE: Duration = Duration::from_secs(15);
/// How long a client waits for a node that may have crashed.
const PATIENCE: Duration = Duration::from_secs(5);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A run: what clients do to the cluster, and chance.
struct Run {
    cluster: Cluster,
    recorder: Recorder,
    tally: RefCell<Tally>,
    over: Cell<bool>,
    seed: u64,
}

/// What a run came to: whether it was worth it.
#[derive(Debug, Default)]
struct Summary {
    acked: usize,
    refused: usize,
    doubted: usize,
    reads: usize,
    crashes: usize,
    installs: u64,
    trace: Vec<String>,
}

impl Run {
    fn random(&self, salt: u64) -> Random {
        Random::new(self.seed.wrapping_mul(1000) + salt)
    }

    /// True if `log` is still what runs at `node`.
    fn runs(&self, node: usize, log: &Arc<RaftLog>) -> bool {
        self.cluster.log(node).is_some_and(|now| Arc::ptr_eq(&now, log))
    }

    /// Appends one entry after another, where the leader is believed to be.
    async fn write(&self, client: u64) {
        let mut random = self.random(client);
        let mut node = random.below(NODES);
        for number in 0.. {
            Rt::sleep(random.time(ms(1), ms(150))).await;
            if self.over.get() {
                return;
            }
            let Some(log) = self.cluster.log(node) else {
                node = random.below(NODES);
                continue;
            };
            let entry = Bytes::from(format!("{client}-{number}"));
            let answer = Rt::timeout(PATIENCE, log.append(entry.clone())).await;
            let answer = answer.unwrap_or(Err(AppendError::InDoubt("no answer".to_owned())));
            if answer.is_ok() && self.runs(node, &log) {
                // 6: delivery precedes the answer.
                assert!(self.recorder.holds(node, &entry), "{entry:?} on node {node}");
            }
            let trace = &self.cluster.trace;
            trace.note(format_args!("answer {entry:?} {answer:?}"));
            if let Err(AppendError::Refused(Refusal::NotLeader { .. })) = &answer {
                let leader = self.cluster.leader();
                node = leader.unwrap_or_else(|| random.below(NODES));
            }
            self.tally.borrow_mut().note(entry, answer);
        }
    }

    /// Asks any node for read indexes, deposed leaders too; how many came.
    async fn read(&self) -> usize {
        let mut random = self.random(100);
        let mut reads = 0;
        while !self.over.get() {
            Rt::sleep(random.time(ms(5), ms(100))).await;
            let node = random.below(NODES);
            let Some(log) = self.cluster.log(node) else {
                continue;
            };
            let acked = self.tally.borrow().last_acked();
            if let Ok(Ok(read)) = Rt::timeout(PATIENCE, log.read_index()).await {
                reads += 1;
                assert!(Some(read) >= acked, "7: read index {read:?} below {acked:?}");
                let applied = self.recorder.applied(node);
                let covers = applied >= acked || !self.runs(node, &log);
                assert!(covers, "7: read at {applied:?} below {acked:?}");
            }
        }
        reads
    }

    /// All nodes crash, and are back within moments; how many that were.
    async fn power_loss(&self, random: &mut Random) -> usize {
        let mut crashes = 0;
        for node in 0..NODES {
            if self.cluster.log(node).is_some() {
                crashes += 1;
                self.tally.borrow_mut().keep(node, &self.recorder);
                self.cluster.crash_losing(node, [Lost::All, Lost::Some][random.below(2)]).await;
            }
        }
        let first = random.below(NODES);
        for node in (0..NODES).map(|node| (first + node) % NODES) {
            Rt::sleep(random.time(ms(0), ms(20))).await;
            self.cluster.start(node).await;
        }
        crashes
    }

    /// One fault after another, and at last their end; how many nodes crashed.
    async fn trouble(&self) -> usize {
        let mut random = self.random(200);
        let mut crashes = 0;
        let start = tokio::time::Instant::now();
        while start.elapsed() < TROUBLE {
            Rt::sleep(random.time(ms(50), ms(1000))).await;
            let node = random.below(NODES);
            let other = (node + 1 + random.below(NODES - 1)) % NODES;
            match (random.below(9), self.cluster.log(node)) {
                (0..=3, None) => self.cluster.start(node).await,
                (0, Some(_)) => self.cluster.cut_off(node),
                (1, Some(_)) => {
                    let net = &self.cluster.net;
                    net.cut(Cluster::raft_id(node), Cluster::raft_id(other));
                }
                (2..=3, Some(_)) => {
                    crashes += 1;
                    self.tally.borrow_mut().keep(node, &self.recorder);
                    let lost = [Lost::All, Lost::Some][random.below(2)];
                    self.cluster.crash_losing(node, lost).await;
                }
                (4, _) => {
                    let time = random.time(ms(1), ms(200));
                    self.cluster.disk(node).set_flush(time);
                }
                (5, _) => crashes += self.power_loss(&mut random).await,
                (6, Some(log)) => {
                    if let Some(upto) = self.recorder.checkpoint(node) {
                        log.trim(upto).await;
                    }
                }
                _ => self.cluster.net.heal(),
            }
        }
        self.cluster.net.heal();
        for node in 0..NODES {
            self.cluster.disk(node).set_flush(ms(1));
            if self.cluster.log(node).is_none() {
                self.cluster.start(node).await;
            }
        }
        // Let them write on a cluster that is whole, or nobody learns that it is.
        Rt::sleep(ms(3000)).await;
        self.over.set(true);
        crashes
    }
}

fn run(seed: u64) -> Summary {
    simulate(seed, async {
        let (cluster, recorder) = Cluster::started(NODES, seed).await;
        let tally = RefCell::default();
        let over = Cell::new(false);
        let run = Run { cluster, recorder, tally, over, seed };
        let writers = join_all((0..CLIENTS).map(|client| run.write(client)));
        let ((crashes, reads), _) = join(join(run.trouble(), run.read()), writers).await;

        let (cluster, recorder, tally) = (&run.cluster, &run.recorder, run.tally.take());
        cluster
            .wait_for("delivery of everything on all nodes", |_| tally.arrived(NODES, recorder))
            .await;
        tally.check(NODES, recorder);
        Summary {
            acked: tally.acked.len(),
            refused: tally.refused.len(),
            doubted: tally.doubted.len(),
            reads,
            crashes,
            installs: (0..NODES).map(|node| recorder.installs(node)).sum(),
            trace: cluster.trace.lines(),
        }
    })
}

#[test]
fn the_promises_hold_under_random_faults() {
    let mut all = Summary::default();
    for seed in 0..50 {
        let one = run(seed);
        all.acked += one.acked;
        all.refused += one.refused;
        all.doubted += one.doubted;
        all.reads += one.reads;
        all.crashes += one.crashes;
        all.installs += one.installs;
    }
    // A run in which nothing happens shows nothing.
    assert!(all.acked > 10_000 && all.doubted > 100 && all.refused > 100, "{all:?}");
    assert!(all.reads > 1_000 && all.crashes > 100 && all.installs > 10, "{all:?}");
}

/// The first seed that shows `bug`, of two hundred.
fn caught(bug: Planted) {
    plant(Some(bug));
    let shows = |seed: &u64| std::panic::catch_unwind(|| run(*seed)).is_err();
    let seed = (0..200).find(shows);
    plant(None);
    let seed = seed.unwrap_or_else(|| panic!("no seed has shown {bug:?}"));
    // It is the bug that does, and not the seed.
    run(seed);
}

/// Seed 1, by a read that misses what was acknowledged.
#[test]
fn a_read_index_that_no_quorum_confirmed_is_caught() {
    caught(Planted::ReadIndexUnconfirmed);
}

/// Seed 1, by a read that misses what was acknowledged.
#[test]
fn a_leadership_that_outlives_a_restart_is_caught() {
    caught(Planted::LeaderRestore);
}

/// Seed 0: openraft sees that a follower lacks what it is said to hold, and its node ends.
#[test]
fn an_entry_that_counts_before_it_is_held_is_caught() {
    caught(Planted::AckBeforeQuorum);
}

#[test]
fn one_seed_is_one_run() {
    for seed in [3, 14] {
        let (one, again) = (run(seed).trace, run(seed).trace);
        let same = one.iter().zip(&again).take_while(|(one, again)| one == again);
        let same = same.count();
        let differ = (one.get(same), again.get(same));
        assert_eq!(differ, (None, None), "after {same} lines");
    }
}
