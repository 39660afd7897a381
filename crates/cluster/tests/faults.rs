//! What becomes of entries when nodes lose each other, their leadership, or what they had not
//! flushed; seen at the port.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_cluster::{Entry, Options, RaftLog};
use catga_journal::conformance::{LogHarness, Recorder};
use catga_journal::{AppendError, Log, LogIndex, Refusal, Role};
use openraft::EntryPayload;
use tokio::task::JoinHandle;

use support::{Cluster, Lost, Tally, simulate};

fn entry(name: &str, number: usize) -> Bytes {
    Bytes::from(format!("{name}-{number}"))
}

/// An append that runs beside the test, and when it was answered.
fn append_beside(
    log: &Arc<RaftLog>,
    entry: Bytes,
) -> JoinHandle<(Bytes, Result<LogIndex, AppendError>, tokio::time::Instant)> {
    let log = Arc::clone(log);
    tokio::spawn(async move {
        let answer = log.append(entry.clone()).await;
        (entry, answer, tokio::time::Instant::now())
    })
}

/// Appends at `node` what must be acknowledged, and is delivered there by then.
async fn append_acked(
    cluster: &Cluster,
    recorder: &Recorder,
    tally: &mut Tally,
    node: usize,
    entries: impl IntoIterator<Item = Bytes>,
) {
    for entry in entries {
        let answer = cluster.at(node).append(entry.clone()).await;
        assert!(answer.is_ok(), "{entry:?} on node {node}: {answer:?}");
        assert!(recorder.holds(node, &entry), "{entry:?} was answered first");
        tally.note(entry, answer);
    }
}

async fn settled(cluster: &Cluster, recorder: &Recorder, tally: &Tally) {
    let nodes = cluster.nodes();
    cluster
        .wait_for("delivery of everything on all nodes", |_| tally.arrived(nodes, recorder))
        .await;
    tally.check(nodes, recorder);
}

async fn another_leader(cluster: &Cluster, old: usize) -> usize {
    let other = |cluster: &Cluster| cluster.leader().filter(|leader| *leader != old);
    cluster.wait_for("another leader", |cluster| other(cluster).is_some()).await;
    other(cluster).expect("there is one")
}

#[test]
fn entries_of_an_isolated_leader_are_truncated_and_doubted() {
    simulate(1, async {
        let (mut cluster, recorder) = Cluster::started(3, 1).await;
        let mut tally = Tally::default();
        let old = cluster.leader().expect("one leads");
        let first = (0..3).map(|n| entry("first", n));
        append_acked(&cluster, &recorder, &mut tally, old, first).await;

        cluster.isolate(old).await;
        let at_old = cluster.at(old);
        let lost = (0..5).map(|n| append_beside(&at_old, entry("lost", n)));
        let lost: Vec<_> = lost.collect();
        let new = another_leader(&cluster, old).await;
        let second = (0..3).map(|n| entry("second", n));
        append_acked(&cluster, &recorder, &mut tally, new, second).await;

        let held = |cluster: &Cluster, name: &str| {
            let disk = cluster.disk(old);
            disk.read(|disk| {
                let payloads = disk.log.values().map(|entry| format!("{:?}", entry.payload));
                payloads.filter(|payload| payload.contains(name)).count()
            })
        };
        assert_eq!(held(&cluster, "6 bytes"), 5, "the old leader has them in its log");
        for append in lost {
            let (entry, answer, _) = append.await.expect("the append ends");
            assert!(matches!(answer, Err(AppendError::InDoubt(_))), "{answer:?}");
            tally.note(entry, answer);
        }

        cluster.heal().await;
        settled(&cluster, &recorder, &tally).await;
        assert_eq!(held(&cluster, "6 bytes"), 0, "they are truncated");
        for entry in &tally.doubted {
            let somewhere = (0..3).any(|node| recorder.holds(node, entry));
            assert!(!somewhere, "{entry:?} was delivered");
        }
    });
}

#[test]
fn a_leader_that_loses_its_quorum_answers_within_its_time() {
    simulate(2, async {
        let (mut cluster, recorder) = Cluster::started(3, 2).await;
        let mut tally = Tally::default();
        let old = cluster.leader().expect("one leads");
        append_acked(&cluster, &recorder, &mut tally, old, [entry("first", 0)]).await;
        cluster.isolate(old).await;
        let start = tokio::time::Instant::now();
        let append = append_beside(&cluster.at(old), entry("lost", 0));
        let (lost, answer, at) = append.await.expect("the append ends");
        assert!(matches!(answer, Err(AppendError::InDoubt(_))), "{answer:?}");
        let limit = Options::new(0, 0).answer_timeout + Duration::from_millis(5);
        assert!(at - start <= limit, "after {:?}", at - start);
        tally.note(lost, answer);

        // By now its lease has run out, and it takes nothing: that is proof.
        let late = entry("late", 0);
        let answer = cluster.at(old).append(late.clone()).await;
        let refused = AppendError::Refused(Refusal::NotLeader {
            term: cluster.at(old).leadership().term,
            leader: None,
        });
        assert_eq!(answer, Err(refused));
        tally.note(late, answer);
        cluster.heal().await;
        settled(&cluster, &recorder, &tally).await;
    });
}

#[test]
fn a_leader_that_hears_of_another_doubts_at_once() {
    simulate(3, async {
        let (cluster, recorder) = Cluster::started(3, 3).await;
        let mut tally = Tally::default();
        let old = cluster.leader().expect("one leads");
        // It hears that another leads, but not what the log is then.
        cluster.net.starve(Cluster::raft_id(old));
        for other in (0..3).filter(|other| *other != old) {
            cluster.net.cut(Cluster::raft_id(old), Cluster::raft_id(other));
        }
        // Not at once: else it is the deadline that answers.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let start = tokio::time::Instant::now();
        let append = append_beside(&cluster.at(old), entry("lost", 0));
        cluster
            .wait_for("end of the leadership", |cluster| {
                cluster.at(old).leadership().role != Role::Leader
            })
            .await;
        let ended = tokio::time::Instant::now();
        let (lost, answer, at) = append.await.expect("the append ends");
        assert!(matches!(answer, Err(AppendError::InDoubt(_))), "{answer:?}");
        assert!(at <= ended + Duration::from_millis(5), "{:?} late", at - ended);
        assert!(at - start < Options::new(0, 0).answer_timeout);
        let held = cluster.disk(old).read(|disk| disk.log.values().last().cloned());
        let held = held.map(|held| held.payload);
        assert_eq!(held, Some(EntryPayload::Normal(Entry(lost.clone()))));
        tally.note(lost, answer);

        let new = another_leader(&cluster, old).await;
        append_acked(&cluster, &recorder, &mut tally, new, [entry("new", 0)]).await;
        cluster.net.heal();
        settled(&cluster, &recorder, &tally).await;
    });
}

#[test]
fn a_follower_refuses_and_names_the_leader() {
    simulate(4, async {
        let (cluster, recorder) = Cluster::started(3, 4).await;
        let mut tally = Tally::default();
        let leader = cluster.leader().expect("one leads");
        let follower = (leader + 1) % 3;
        let at_follower = cluster.at(follower);
        cluster
            .wait_for("follower that knows its leader", |_| {
                at_follower.leadership().leader.is_some()
            })
            .await;
        let refused = entry("refused", 0);
        let answer = at_follower.append(refused.clone()).await;
        let expected = AppendError::Refused(Refusal::NotLeader {
            term: cluster.at(leader).leadership().term,
            leader: Some(Cluster::name(leader)),
        });
        assert_eq!(answer, Err(expected));
        tally.note(refused, answer);
        append_acked(&cluster, &recorder, &mut tally, leader, [entry("taken", 0)]).await;
        settled(&cluster, &recorder, &tally).await;
    });
}

#[test]
fn a_follower_behind_the_log_gets_a_snapshot_and_what_is_above_it() {
    simulate(5, async {
        let (mut cluster, recorder) = Cluster::started(3, 5).await;
        let mut tally = Tally::default();
        let leader = cluster.leader().expect("one leads");
        let follower = (leader + 1) % 3;
        let before = (0..3).map(|n| entry("before", n));
        append_acked(&cluster, &recorder, &mut tally, leader, before).await;
        settled(&cluster, &recorder, &tally).await;

        cluster.crash(follower).await;
        let down = (0..20).map(|n| entry("down", n));
        append_acked(&cluster, &recorder, &mut tally, leader, down).await;
        let upto = recorder.checkpoint(leader).expect("it has applied");
        cluster.at(leader).trim(upto).await;
        let disk = cluster.disk(leader).clone();
        cluster
            .wait_for("trimmed log", |_| {
                disk.read(|disk| disk.purged.is_some_and(|purged| purged.index == upto.index))
            })
            .await;
        let above = (0..5).map(|n| entry("above", n));
        append_acked(&cluster, &recorder, &mut tally, leader, above).await;

        cluster.restart(follower, &recorder).await;
        settled(&cluster, &recorder, &tally).await;
        assert_eq!(recorder.installs(follower), 1);
        assert_eq!(recorder.delivered(follower), recorder.delivered(leader));

        // And the snapshot is its own now: it starts from it, with the log above.
        cluster.crash_losing(follower, Lost::All).await;
        cluster.restart(follower, &recorder).await;
        settled(&cluster, &recorder, &tally).await;
        assert_eq!(recorder.installs(follower), 1);
    });
}

#[test]
fn a_node_that_kept_its_state_is_given_only_what_it_lacks() {
    simulate(6, async {
        let (mut cluster, recorder) = Cluster::started(1, 6).await;
        let mut tally = Tally::default();
        let first = (0..10).map(|n| entry("first", n));
        append_acked(&cluster, &recorder, &mut tally, 0, first).await;
        let upto = recorder.checkpoint(0).expect("it has applied");
        cluster.at(0).trim(upto).await;
        let second = (0..5).map(|n| entry("second", n));
        append_acked(&cluster, &recorder, &mut tally, 0, second).await;
        recorder.checkpoint(0);
        let third = (0..5).map(|n| entry("third", n));
        append_acked(&cluster, &recorder, &mut tally, 0, third).await;

        cluster.crash_losing(0, Lost::All).await;
        cluster.restart(0, &recorder).await;
        // The snapshot holds less than the applier kept.
        assert_eq!(recorder.installs(0), 0);
        cluster.wait_for("a leader", |cluster| cluster.leader().is_some()).await;
        append_acked(&cluster, &recorder, &mut tally, 0, [entry("last", 0)]).await;
        settled(&cluster, &recorder, &tally).await;
    });
}

#[test]
fn what_a_leader_loses_unflushed_is_not_lost_to_callers() {
    simulate(7, async {
        let (mut cluster, recorder) = Cluster::started(3, 7).await;
        let mut tally = Tally::default();
        let leader = cluster.leader().expect("one leads");
        let first = (0..3).map(|n| entry("first", n));
        append_acked(&cluster, &recorder, &mut tally, leader, first).await;

        // The followers' disks are a quorum.
        cluster.disk(leader).set_flush(Duration::from_secs(3600));
        let tail = (0..5).map(|n| entry("tail", n));
        append_acked(&cluster, &recorder, &mut tally, leader, tail).await;
        let last = |cluster: &Cluster| {
            let disk = cluster.disk(leader);
            disk.read(|disk| disk.log.keys().next_back().copied())
        };
        let written = last(&cluster);
        for node in 0..3 {
            tally.keep(node, &recorder);
            cluster.crash_losing(node, Lost::All).await;
        }
        assert!(last(&cluster) < written, "the leader has lost its tail");

        cluster.disk(leader).set_flush(Duration::from_millis(1));
        // The old leader first: it must not go on where it thinks it was.
        for node in [leader, (leader + 1) % 3, (leader + 2) % 3] {
            cluster.restart(node, &recorder).await;
        }
        cluster.wait_for("a leader", |cluster| cluster.leader().is_some()).await;
        let new = cluster.leader().expect("one leads");
        append_acked(&cluster, &recorder, &mut tally, new, [entry("new", 0)]).await;
        settled(&cluster, &recorder, &tally).await;
    });
}

#[test]
fn an_isolated_leader_confirms_no_read() {
    simulate(8, async {
        let (mut cluster, recorder) = Cluster::started(3, 8).await;
        let mut tally = Tally::default();
        let old = cluster.leader().expect("one leads");
        append_acked(&cluster, &recorder, &mut tally, old, [entry("first", 0)]).await;
        let read = cluster.at(old).read_index().await.expect("it leads");
        assert!(Some(read) >= tally.last_acked());

        cluster.isolate(old).await;
        let log = cluster.at(old);
        let reads: Vec<JoinHandle<_>> = (0..40)
            .map(|n| {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(100 * n)).await;
                    log.read_index().await
                })
            })
            .collect();
        let new = another_leader(&cluster, old).await;
        append_acked(&cluster, &recorder, &mut tally, new, [entry("second", 0)]).await;
        for read in reads {
            let read = read.await.expect("the read ends");
            assert!(read.is_err(), "{read:?}");
        }
        let read = cluster.at(new).read_index().await.expect("it leads");
        assert!(Some(read) >= tally.last_acked());
        cluster.heal().await;
        settled(&cluster, &recorder, &tally).await;
    });
}
