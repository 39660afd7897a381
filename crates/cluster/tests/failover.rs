//! How soon another leads when the leader is gone, and that nobody does when it is not.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_cluster::{HandedOver, Peer, RaftLog, Rt, StoreId, Topic};
use catga_journal::conformance::{LogHarness, Recorder};
use catga_journal::{AppendError, Log, LogIndex, Role};
use openraft::AsyncRuntime;
use openraft::async_runtime::WatchReceiver;
use tokio::time::Instant;

use support::{Cluster, Lost, Random, Tally, simulate};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A cluster whose disks sync in 2 ms, and whose leader has acknowledged entries.
async fn writing(seed: u64) -> (Cluster, Recorder, Tally, usize) {
    let (cluster, recorder) = Cluster::started(3, seed).await;
    (0..3).for_each(|node| cluster.disk(node).set_flush(ms(2)));
    let leader = cluster.leader().expect("one leads");
    let mut tally = Tally::default();
    for number in 0..5 {
        write(&cluster, &mut tally, &format!("first-{number}")).await;
    }
    (cluster, recorder, tally, leader)
}

/// Appends where the leader is, until it is acknowledged; how long that took.
async fn write(cluster: &Cluster, tally: &mut Tally, entry: &str) -> Duration {
    let start = Instant::now();
    for attempt in 0.. {
        assert!(start.elapsed() < ms(10_000), "{entry} is not acknowledged");
        let Some(leader) = cluster.leader() else {
            Rt::sleep(ms(1)).await;
            continue;
        };
        let entry = Bytes::from(format!("{entry}-{attempt}"));
        let answer = cluster.at(leader).append(entry.clone()).await;
        let acked = answer.is_ok();
        tally.note(entry, answer);
        if acked {
            break;
        }
        Rt::sleep(ms(1)).await;
    }
    start.elapsed()
}

fn term(cluster: &Cluster) -> u64 {
    let terms = (0..3).filter_map(|node| cluster.log(node)).map(|log| Log::term(&*log));
    terms.max().expect("one runs")
}

async fn settled(cluster: &Cluster, recorder: &Recorder, tally: &Tally) {
    cluster.wait_for("delivery of everything on all nodes", |_| tally.arrived(3, recorder)).await;
    tally.check(3, recorder);
}

#[test]
fn after_a_kill_of_the_leader_the_next_append_is_acknowledged_within_100_ms() {
    let mut longest = ms(0);
    for seed in 0..50 {
        simulate(seed, async {
            let (mut cluster, recorder, mut tally, leader) = writing(seed).await;
            let mut random = Random::new(seed);
            // At any moment between two heartbeats.
            Rt::sleep(random.time(ms(0), ms(100))).await;
            let before = term(&cluster);
            tally.keep(leader, &recorder);
            cluster.crash_losing(leader, [Lost::All, Lost::Some][random.below(2)]).await;
            let took = write(&cluster, &mut tally, "next").await;
            assert!(took <= ms(100), "seed {seed}: {took:?}");
            assert_eq!(term(&cluster), before + 1, "seed {seed}: one election");
            longest = longest.max(took);
            cluster.restart(leader, &recorder).await;
            settled(&cluster, &recorder, &tally).await;
        });
    }
    // Else nothing was killed.
    assert!(longest > ms(10), "{longest:?}");
}

#[test]
fn one_cut_link_changes_no_leader_and_holds_up_no_write() {
    for ways in 0..3 {
        for seed in 0..5 {
            simulate(seed, async {
                let (mut cluster, recorder, mut tally, leader) = writing(seed).await;
                let before = term(&cluster);
                let (one, other) = (Cluster::raft_id(leader), Cluster::raft_id((leader + 1) % 3));
                if ways != 1 {
                    cluster.net.cut(one, other);
                }
                if ways != 2 {
                    cluster.net.cut(other, one);
                }
                let start = Instant::now();
                let mut longest = ms(0);
                for number in 0.. {
                    let took = write(&cluster, &mut tally, &format!("cut-{number}")).await;
                    longest = longest.max(took);
                    if start.elapsed() > ms(3000) {
                        break;
                    }
                }
                assert!(longest <= ms(50), "ways {ways}, seed {seed}: {longest:?}");
                assert_eq!(term(&cluster), before, "ways {ways}, seed {seed}");
                cluster.heal().await;
                settled(&cluster, &recorder, &tally).await;
                assert_eq!(term(&cluster), before, "ways {ways}, seed {seed}: after it healed");
            });
        }
    }
}

#[test]
fn when_the_agreement_gets_through_to_nobody_the_timers_elect() {
    for seed in 0..5 {
        simulate(seed, async {
            let (mut cluster, recorder, mut tally, leader) = writing(seed).await;
            cluster.net.lose(Topic::Succession);
            tally.keep(leader, &recorder);
            cluster.crash_losing(leader, Lost::All).await;
            let took = write(&cluster, &mut tally, "next").await;
            assert!(took > ms(400), "seed {seed}: not by timers: {took:?}");
            assert!(took < ms(3000), "seed {seed}: {took:?}");
            cluster.heal().await;
            cluster.restart(leader, &recorder).await;
            settled(&cluster, &recorder, &tally).await;
        });
    }
}

#[test]
fn a_silent_leader_is_deposed_and_its_reads_and_entries_count_for_nothing() {
    for seed in 0..5 {
        simulate(seed, async {
            let (mut cluster, recorder, mut tally, old) = writing(seed).await;
            cluster.cut_off(old);
            let pending = Bytes::from_static(b"pending");
            let at_old = cluster.at(old);
            let append = {
                let (log, entry) = (Arc::clone(&at_old), pending.clone());
                Rt::spawn(async move { log.append(entry).await })
            };
            let read = {
                let log = Arc::clone(&at_old);
                Rt::spawn(async move { log.read_index().await })
            };
            let start = Instant::now();
            let led = |cluster: &Cluster| cluster.leader().is_some_and(|leader| leader != old);
            while !led(&cluster) {
                assert!(start.elapsed() < ms(200), "seed {seed}: nobody leads");
                Rt::sleep(ms(1)).await;
            }
            write(&cluster, &mut tally, "next").await;
            // It wakes, and hears of all that.
            cluster.heal().await;
            let answer = append.await.expect("the append ends");
            assert!(matches!(answer, Err(AppendError::InDoubt(_))), "seed {seed}: {answer:?}");
            tally.note(pending, answer);
            let acked = tally.last_acked();
            if let Ok(read) = read.await.expect("the read ends") {
                // Only when it could ask the new leader.
                assert!(Some(read) >= acked && recorder.applied(old) >= acked, "seed {seed}");
            }
            settled(&cluster, &recorder, &tally).await;
            assert_eq!(at_old.leadership().role, Role::Follower);
        });
    }
}

#[test]
fn followers_that_hear_nothing_of_the_leader_depose_it_though_it_hears_them() {
    simulate(1, async {
        let (mut cluster, recorder, mut tally, old) = writing(1).await;
        let before = term(&cluster);
        for other in (0..3).filter(|other| *other != old) {
            cluster.net.cut(Cluster::raft_id(old), Cluster::raft_id(other));
        }
        let start = Instant::now();
        let led = |cluster: &Cluster| cluster.leader().is_some_and(|leader| leader != old);
        cluster.wait_for("another leader", led).await;
        assert!(start.elapsed() < ms(250), "{:?}", start.elapsed());
        assert_eq!(term(&cluster), before + 1);
        write(&cluster, &mut tally, "next").await;
        cluster.heal().await;
        settled(&cluster, &recorder, &tally).await;
    });
}

#[test]
fn whoever_says_that_it_leads_has_applied_an_entry_of_its_term() {
    for seed in 0..10 {
        simulate(seed, async {
            let (cluster, recorder, mut tally, leader) = writing(seed).await;
            tally.keep(leader, &recorder);
            cluster.crash_losing(leader, Lost::All).await;
            let start = Instant::now();
            let (mut elected, mut led) = (None, None);
            while led.is_none() {
                assert!(start.elapsed() < ms(1000), "seed {seed}: nobody leads");
                for node in (0..3).filter(|node| *node != leader) {
                    let log = cluster.at(node);
                    let leadership = log.leadership();
                    let applied = log.raft().data_metrics().borrow_watched().last_applied;
                    let own = applied.map(|applied| applied.leader_id.term);
                    let by_itself = leadership.leader == Some(Cluster::name(node));
                    match leadership.role {
                        Role::Leader => {
                            assert_eq!(own, Some(leadership.term), "seed {seed}");
                            led = led.or(Some(start.elapsed()));
                        }
                        Role::Candidate if by_itself => {
                            elected = elected.or(Some(start.elapsed()));
                        }
                        _ => {}
                    }
                }
                Rt::sleep(ms(1)).await;
            }
            assert!(elected.is_some() && elected < led, "seed {seed}: {elected:?}, {led:?}");
        });
    }
}

/// Hands over at `node`, and how long it took.
async fn hand_over(log: &RaftLog) -> (Result<HandedOver, String>, Duration) {
    let start = Instant::now();
    let handed = log.hand_over().await.map_err(|fault| fault.to_string());
    (handed, start.elapsed())
}

#[test]
fn a_leader_hands_over_to_a_voter_that_holds_its_log() {
    for seed in 0..10 {
        simulate(seed, async {
            let (mut cluster, recorder, mut tally, leader) = writing(seed).await;
            // One of them has fallen behind, and must not be chosen.
            let (behind, best) = ((leader + 1) % 3, (leader + 2) % 3);
            cluster.net.starve(Cluster::raft_id(behind));
            for number in 0..5 {
                write(&cluster, &mut tally, &format!("more-{number}")).await;
            }
            let (handed, took) = hand_over(&cluster.at(leader)).await;
            assert_eq!(handed, Ok(HandedOver::To(Cluster::name(best))), "seed {seed}");
            assert!(took < ms(100), "seed {seed}: {took:?}");
            assert!(write(&cluster, &mut tally, "next").await < ms(100), "seed {seed}");
            assert_eq!(hand_over(&cluster.at(leader)).await.0, Ok(HandedOver::NotLeading));
            cluster.heal().await;
            settled(&cluster, &recorder, &tally).await;
        });
    }
}

#[test]
fn a_leader_that_has_nobody_says_so_and_goes_on() {
    simulate(1, async {
        let (cluster, _) = Cluster::started(1, 1).await;
        assert_eq!(hand_over(&cluster.at(0)).await.0, Ok(HandedOver::Alone));
        let answer: Result<LogIndex, _> = cluster.at(0).append(Bytes::from_static(b"on")).await;
        assert!(answer.is_ok(), "{answer:?}");
    });
    simulate(2, async {
        let (mut cluster, recorder, mut tally, leader) = writing(2).await;
        cluster.cut_off(leader);
        // Until the links are known to be down; its own lease lasts longer.
        Rt::sleep(ms(110)).await;
        let (handed, took) = hand_over(&cluster.at(leader)).await;
        let error = handed.expect_err("nobody can be reached");
        assert!(error.contains("no other voter can be reached"), "{error}");
        assert!(took < ms(5), "{took:?}");
        cluster.heal().await;
        write(&cluster, &mut tally, "next").await;
        settled(&cluster, &recorder, &tally).await;
    });
}

/// That `to` should lead after node `leader` of `term`, all of them small numbers.
fn transfer(term: u64, leader: u64, to: u64) -> Bytes {
    let [term, leader, to] = [term, leader, to].map(|number| number as u8);
    vec![6, 1, 0x0a, 6, 0x08, term, 0x10, leader, 0x18, 1, 0x10, to].into()
}

/// That node `leader` of `term` is lost, as the sender has seen.
fn leader_lost(term: u64, leader: u64) -> Bytes {
    vec![10, 1, 0x0a, 6, 0x08, term as u8, 0x10, leader as u8, 0x18, 1].into()
}

#[test]
fn nobody_is_helped_against_a_leader_that_is_there() {
    simulate(1, async {
        let (mut cluster, recorder, mut tally, leader) = writing(1).await;
        let before = term(&cluster);
        let (asked, other) = ((leader + 1) % 3, (leader + 2) % 3);
        let [leader_id, asked_id, other_id] = [leader, asked, other].map(Cluster::raft_id);
        let serve = cluster.at(asked).serve();
        let from =
            Peer { name: Cluster::name(other), id: other_id, store: StoreId(u128::from(other_id)) };
        let to_itself = transfer(before, leader_id, asked_id);
        let refused = serve.serve(&from, Topic::Raft, to_itself.clone()).await;
        let why = format!("node {leader_id} leads, and node {other_id} gives its place away");
        assert_eq!(refused, Err(why));
        // Another's word that it is lost, and no more: the answer is no.
        let lost = leader_lost(before, leader_id);
        let answer = serve.serve(&from, Topic::Succession, lost).await;
        assert_eq!(answer, Ok(Bytes::from_static(&[11, 1])));
        for (topic, request) in [
            (Topic::Log, to_itself.clone()),
            (Topic::Raft, Bytes::from_static(b"")),
            (Topic::Raft, Bytes::from_static(&[99, 1])),
            (Topic::Raft, to_itself.slice(..4)),
        ] {
            let answer = serve.serve(&from, topic, request.clone()).await;
            assert!(answer.is_err(), "{topic:?} {request:?}: {answer:?}");
        }
        Rt::sleep(ms(1000)).await;
        assert_eq!(term(&cluster), before);

        // The same words, once the leader is gone and this node has seen it.
        cluster.net.lose(Topic::Succession);
        tally.keep(leader, &recorder);
        cluster.crash_losing(leader, Lost::All).await;
        Rt::sleep(ms(10)).await;
        let taken = serve.serve(&from, Topic::Raft, to_itself).await;
        assert_eq!(taken, Ok(Bytes::from_static(&[7, 1, 8, 1])));
        cluster.wait_for("the one who was asked", |this| this.leader() == Some(asked)).await;
        assert_eq!(term(&cluster), before + 1);
        cluster.heal().await;
        cluster.restart(leader, &recorder).await;
        settled(&cluster, &recorder, &tally).await;
    });
}
