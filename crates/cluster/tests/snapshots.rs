//! A snapshot on its way to a node that lags behind.

mod support;

use std::time::Duration;

use bytes::Bytes;
use catga_cluster::{Rt, SnapshotStore, Topic};
use catga_journal::conformance::{LogHarness, Recorder};
use catga_journal::{Log, LogIndex};
use openraft::AsyncRuntime;

use support::{Cluster, Lost, Tally, simulate};

/// How many bytes the cluster sends at once.
const PART: usize = 64;

/// A cluster of which one follower is down, and so far behind that it needs a snapshot; that
/// follower, and in how many parts it comes.
async fn lagging(seed: u64) -> (Cluster, Recorder, Tally, usize, usize) {
    let (cluster, recorder) = Cluster::started(3, seed).await;
    let mut tally = Tally::default();
    let leader = cluster.leader().expect("one leads");
    let follower = (leader + 1) % 3;
    cluster.crash_losing(follower, Lost::Some).await;
    let upto = append_and_trim(&cluster, &recorder, &mut tally).await;
    let disk = cluster.disk(leader).clone();
    let trimmed =
        |_: &Cluster| disk.read(|disk| disk.purged.map(|last| last.index)) == Some(upto.index);
    cluster.wait_for("trimmed log", trimmed).await;
    let snapshot = disk.load().await.expect("readable").expect("it was made");
    let parts = snapshot.snapshot.data.len().div_ceil(PART);
    assert!(parts > 8, "{parts} parts are too few to be interrupted");
    (cluster, recorder, tally, follower, parts)
}

/// Appends some entries at the leader, and trims its log up to what it has applied of them.
async fn append_and_trim(cluster: &Cluster, recorder: &Recorder, tally: &mut Tally) -> LogIndex {
    let leader = cluster.leader().expect("one leads");
    for number in 0..50 {
        let entry = Bytes::from(format!("entry-{number}"));
        let answer = cluster.at(leader).append(entry.clone()).await;
        assert!(answer.is_ok(), "{answer:?}");
        tally.note(entry, answer);
    }
    let upto = recorder.checkpoint(leader).expect("it has applied");
    cluster.at(leader).trim(upto).await;
    upto
}

async fn settled(cluster: &Cluster, recorder: &Recorder, tally: &Tally) {
    cluster.wait_for("delivery of everything on all nodes", |_| tally.arrived(3, recorder)).await;
    tally.check(3, recorder);
}

#[test]
fn it_comes_in_parts_and_once() {
    simulate(1, async {
        let (mut cluster, recorder, tally, follower, parts) = lagging(1).await;
        cluster.restart(follower, &recorder).await;
        settled(&cluster, &recorder, &tally).await;
        assert_eq!(recorder.installs(follower), 1);
        assert_eq!(cluster.net.handled(Topic::Snapshot), 1 + parts, "a question, and each part");
    });
}

#[test]
fn what_was_interrupted_is_resumed_where_it_was() {
    for seed in 0..5 {
        simulate(seed, async {
            let (mut cluster, recorder, tally, follower, parts) = lagging(seed).await;
            cluster.net.lose_after(Topic::Snapshot, 5);
            cluster.restart(follower, &recorder).await;
            cluster.wait_for("first parts", |_| cluster.net.handled(Topic::Snapshot) == 5).await;
            // The one that was lost is given up, and so are those after it.
            Rt::sleep(Duration::from_secs(12)).await;
            assert_eq!(recorder.installs(follower), 0);
            cluster.heal().await;
            settled(&cluster, &recorder, &tally).await;
            assert_eq!(recorder.installs(follower), 1);
            // A second question, and the parts that were not there.
            assert_eq!(cluster.net.handled(Topic::Snapshot), 2 + parts, "seed {seed}");
        });
    }
}

#[test]
fn a_slow_disk_does_not_count_for_what_only_memory_holds() {
    simulate(1, async {
        let (mut cluster, recorder) = Cluster::started(3, 1).await;
        let mut tally = Tally::default();
        let leader = cluster.leader().expect("one leads");
        let follower = (leader + 1) % 3;
        cluster.disk(follower).set_flush(Duration::from_secs(30));
        // The follower takes all of it in, and hears that it is committed; its answers do not come
        // in time, and what it lacks, as the leader sees it, is trimmed.
        append_and_trim(&cluster, &recorder, &mut tally).await;
        let offered = |cluster: &Cluster| cluster.net.handled(Topic::Snapshot) > 1;
        cluster.wait_for("snapshot", offered).await;
        Rt::sleep(Duration::from_secs(1)).await;
        cluster.crash_losing(follower, Lost::All).await;
        cluster.disk(follower).set_flush(Duration::from_millis(1));
        cluster.restart(follower, &recorder).await;
        settled(&cluster, &recorder, &tally).await;
        assert_eq!(cluster.leader(), Some(leader), "it was never told what was not true");
    });
}

#[test]
fn another_leader_goes_on_with_its_own() {
    for seed in 0..5 {
        simulate(seed, async {
            let (mut cluster, recorder, mut tally, follower, _) = lagging(seed).await;
            let leader = cluster.leader().expect("one leads");
            let other = 3 - leader - follower;
            cluster.net.lose_after(Topic::Snapshot, 5);
            cluster.restart(follower, &recorder).await;
            cluster.wait_for("first parts", |_| cluster.net.handled(Topic::Snapshot) == 5).await;
            // Its snapshot is another one, and of a later leader.
            let upto = recorder.checkpoint(other).expect("it has applied");
            cluster.at(other).trim(upto).await;
            tally.keep(leader, &recorder);
            cluster.crash_losing(leader, Lost::All).await;
            cluster.net.heal();
            cluster.wait_for("another leader", |this| this.leader() == Some(other)).await;
            let entry = Bytes::from_static(b"later");
            let answer = cluster.at(other).append(entry.clone()).await;
            assert!(answer.is_ok(), "seed {seed}: {answer:?}");
            tally.note(entry, answer);
            cluster.restart(leader, &recorder).await;
            settled(&cluster, &recorder, &tally).await;
            assert_eq!(recorder.installs(follower), 1, "seed {seed}");
        });
    }
}
