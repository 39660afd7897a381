//! Leaders change, have too much to do, and drain.

use std::time::Duration;

use catga::{FaultCode, Limits, MemberState, NodeState, Outcome};
use catga_host::Host;
use catga_tests::shared_cluster::SharedCluster;
use catga_tests::shared_log::Doubt;
use catga_tests::switchboard::Loss;

use crate::rig::{Runs, fault, start, start_node, step};
use crate::tallies::{Sum, add};

#[test]
fn a_change_of_the_leader_is_only_felt_as_time() {
    catga_testkit::run(5, async |host| {
        let (cluster, nodes, runs) = start(&host).await;
        // Nobody leads for a while.
        cluster.log.elect(None);
        let sent = nodes[1].send(add("a", 1));
        let log = cluster.log.clone();
        let elect = async {
            host.sleep(Duration::from_secs(2)).await;
            log.elect(Some(2));
        };
        let (added, ()) = tokio::join!(sent, elect);
        assert_eq!(added.expect("added").before, 0);
        // The one that was asked is deposed and does not answer: another leads meanwhile.
        cluster.board.lose([Loss::Request, Loss::Late(1000)]);
        let sent = nodes[1].send(add("a", 2));
        let elect = async {
            host.sleep(Duration::from_millis(200)).await;
            cluster.log.elect(Some(0));
        };
        let (added, ()) = tokio::join!(sent, elect);
        assert_eq!(added.expect("added").before, 1);
        assert_eq!(runs.get(), 2);
    });
}

#[test]
fn a_leader_that_is_overtaken_in_its_term_is_waited_for_no_longer() {
    catga_testkit::run(5, async |host| {
        let (cluster, nodes, _runs) = start(&host).await;
        cluster.board.lose([Loss::Late(8_000)]);
        let before = host.now();
        let sent = nodes[1].send(add("a", 1));
        let overtake = async {
            host.sleep(Duration::from_millis(200)).await;
            cluster.log.overtake(Some(2));
        };
        let (added, ()) = tokio::join!(sent, overtake);
        assert_eq!(added.expect("added").before, 0);
        assert!(host.now() - before < Duration::from_secs(1), "nobody waits for the first");
    });
}

#[test]
fn a_deposed_leader_goes_on_at_the_next_one_whatever_became_of_its_entry() {
    catga_testkit::run(6, async |host| {
        let (cluster, [leader, _second, _third], runs) = start(&host).await;
        cluster.log.isolate(0);
        let sent = leader.send(add("a", 1));
        let depose = async {
            host.sleep(Duration::from_millis(100)).await;
            cluster.log.elect(Some(1));
            cluster.log.heal();
        };
        let (added, ()) = tokio::join!(sent, depose);
        assert_eq!(added.expect("added").before, 0);
        assert_eq!(runs.get(), 2, "once on each");
        // In doubt while it goes on leading.
        cluster.log.elect(Some(0));
        cluster.log.doubt(0, [Doubt::Lost, Doubt::Kept]);
        assert_eq!(leader.send(add("a", 2)).await.expect("added").before, 1);
        assert_eq!(leader.send(add("a", 3)).await.expect("added").before, 3);
        assert_eq!(leader.ask(Sum).await, Ok(6));
        // The same on the way from a follower.
        cluster.log.elect(Some(2));
        cluster.log.doubt(2, [Doubt::Lost, Doubt::Kept]);
        assert_eq!(leader.send(add("a", 4)).await.expect("added").before, 6);
        assert_eq!(leader.send(add("a", 5)).await.expect("added").before, 10);
        assert_eq!(leader.ask(Sum).await, Ok(15));
    });
}

#[test]
fn an_overloaded_leader_says_so_and_nothing_ran() {
    catga_testkit::run(10, async |host| {
        let (cluster, runs) = (SharedCluster::new(&host), Runs::default());
        let [leader, follower, _other] = cluster
            .start(async |name, backend| {
                let mut limits = Limits::default();
                if name == "node1" {
                    limits.in_flight = 1;
                }
                start_node(&host, &runs, limits, (name, backend)).await
            })
            .await;
        // The leader's one place is taken by a command that waits for its log.
        cluster.log.isolate(0);
        let mut busy = Box::pin(leader.send(add("a", 1)).into_future());
        assert!(futures_util::poll!(&mut busy).is_pending());
        step().await;
        assert!(futures_util::poll!(&mut busy).is_pending());
        let overloaded = {
            let log = cluster.log.clone();
            let heal = async {
                step().await;
                // Reached again, and the append still waits: nobody has told it.
                log.heal();
            };
            let (answer, ()) = tokio::join!(follower.send(add("a", 2)), heal);
            fault(answer)
        };
        assert_eq!(overloaded.code(), FaultCode::Overloaded);
        assert_eq!(overloaded.outcome(), Outcome::NotExecuted);
        assert!(overloaded.is_retryable());
        assert_eq!(runs.get(), 1);
    });
}

#[test]
fn a_leader_that_drains_leaves_its_commands_to_the_next() {
    catga_testkit::run(11, async |host| {
        let (cluster, [leader, follower, _other], runs) = start(&host).await;
        let (drained, added) = tokio::join!(leader.shutdown(), follower.send(add("a", 1)));
        assert!(drained);
        assert_eq!(added.expect("added").before, 0);
        assert_eq!(cluster.log.leader(), Some(1), "leadership was handed over");
        assert_eq!(runs.get(), 1);
        let late = fault(leader.send(add("a", 1)).await);
        assert_eq!(late.code(), FaultCode::ShuttingDown);
    });
}

#[test]
fn the_status_shows_the_members_and_when_nobody_leads() {
    catga_testkit::run(16, async |host| {
        let (cluster, [leader, follower, _other], _) = start(&host).await;
        cluster.log.isolate(2);
        let status = follower.cluster().status();
        assert_eq!(status.state, NodeState::Follower);
        let seen: Vec<_> = status.members.iter().map(|it| (it.state, it.is_leader)).collect();
        let available = MemberState::Available;
        let unreachable = MemberState::Unreachable;
        assert_eq!(seen, [(available, true), (available, false), (unreachable, false)]);
        assert_eq!(leader.cluster().status().state, NodeState::Leader);
        cluster.log.elect(None);
        assert_eq!(follower.cluster().status().state, NodeState::NoQuorum);
        assert!(!follower.health().ready);
    });
}
