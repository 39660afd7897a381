//! Read indexes on every node: what was acknowledged before one was asked for is applied when it
//! comes.

mod support;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_cluster::{Options, RaftLog, Rt, Topic};
use catga_journal::conformance::LogHarness;
use catga_journal::{AppendError, Log};
use futures_util::future::{join, join_all};
use openraft::AsyncRuntime;
use tokio::time::Instant;

use support::{Cluster, Lost, Random, Tally, simulate};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_read_on_any_node_sees_what_was_acknowledged_before_it() {
    for seed in 0..10 {
        simulate(seed, async {
            let (cluster, recorder) = Cluster::started(3, seed).await;
            let tally = RefCell::new(Tally::default());
            let over = Cell::new(false);
            let write = async {
                for number in 0..300 {
                    let entry = Bytes::from(format!("entry-{number}"));
                    let Some(leader) = cluster.leader() else {
                        Rt::sleep(ms(5)).await;
                        continue;
                    };
                    if number == 150 {
                        // The readers' leader is gone, and another must be asked.
                        tally.borrow_mut().keep(leader, &recorder);
                        cluster.crash_losing(leader, Lost::All).await;
                        continue;
                    }
                    let answer = cluster.at(leader).append(entry.clone()).await;
                    tally.borrow_mut().note(entry, answer);
                }
                over.set(true);
            };
            let read = async |salt: u64| {
                let mut random = Random::new(seed * 100 + salt);
                let mut reads = [0, 0];
                while !over.get() {
                    Rt::sleep(random.time(ms(0), ms(20))).await;
                    let node = random.below(3);
                    let Some(log) = cluster.log(node) else {
                        continue;
                    };
                    let acked = tally.borrow().last_acked();
                    let leads = cluster.leader() == Some(node);
                    if let Ok(Ok(index)) = Rt::timeout(ms(5000), log.read_index()).await {
                        assert!(Some(index) >= acked, "seed {seed}: {index:?} below {acked:?}");
                        let applied = recorder.applied(node);
                        let runs = cluster.log(node).is_some_and(|now| Arc::ptr_eq(&now, &log));
                        assert!(!runs || applied >= acked, "seed {seed}: {applied:?}, {acked:?}");
                        reads[usize::from(leads)] += 1;
                    }
                }
                reads
            };
            let readers = join_all((0..4).map(read));
            let ((), reads) = join(write, readers).await;
            let sum = |of: usize| reads.iter().map(|reads| reads[of]).sum::<usize>();
            assert!(sum(0) > 50 && sum(1) > 20, "seed {seed}: {reads:?}");
        });
    }
}

/// A node that follows the leader.
async fn follower(cluster: &Cluster) -> (usize, Arc<RaftLog>) {
    let leader = cluster.leader().expect("one leads");
    let node = (leader + 1) % 3;
    let log = cluster.at(node);
    cluster.wait_for("known leader", |_| log.leadership().leader.is_some()).await;
    (node, log)
}

#[test]
fn reads_that_come_together_are_one_request() {
    simulate(1, async {
        let (cluster, _) = Cluster::started(3, 1).await;
        let (_, log) = follower(&cluster).await;
        log.read_index().await.expect("the leader is there");
        let before = cluster.net.handled(Topic::Log);
        let reads = join_all((0..100).map(|_| log.read_index())).await;
        assert!(reads.iter().all(Result::is_ok), "{reads:?}");
        // The first goes out alone, and all others with the next.
        assert!(cluster.net.handled(Topic::Log) - before <= 2);
    });
}

#[test]
fn a_follower_that_reaches_nobody_answers_within_its_time() {
    simulate(2, async {
        let (cluster, _) = Cluster::started(3, 2).await;
        let (node, log) = follower(&cluster).await;
        cluster.cut_off(node);
        let start = Instant::now();
        let error = log.read_index().await.expect_err("nobody confirms it");
        assert_eq!(start.elapsed(), Options::new(0, 0).answer_timeout, "{error}");
    });
}

#[test]
fn a_read_outlives_its_leader() {
    for seed in 0..10 {
        simulate(seed, async {
            let (cluster, recorder) = Cluster::started(3, seed).await;
            let (node, log) = follower(&cluster).await;
            let leader = cluster.leader().expect("one leads");
            let entry = Bytes::from_static(b"acknowledged");
            let acked = cluster.at(leader).append(entry.clone()).await;
            let acked = acked.unwrap_or_else(|error: AppendError| panic!("{error:?}"));
            cluster.crash_losing(leader, Lost::All).await;
            let start = Instant::now();
            let index = log.read_index().await.expect("another leads soon");
            assert!(index >= acked && recorder.holds(node, &entry), "seed {seed}");
            assert!(start.elapsed() < ms(300), "seed {seed}: {:?}", start.elapsed());
        });
    }
}
