//! Nodes start, and start again.

use std::time::Duration;

use catga::prelude::*;
use catga::{FaultCode, Limits, MessageId, Outcome};
use catga_host::Host;
use catga_tests::shared_cluster::SharedCluster;

use crate::rig::{Runs, fault, start, start_node};
use crate::tallies::{Sum, add};

#[test]
fn an_id_below_the_mark_of_its_session_is_expired_at_another_leader() {
    catga_testkit::run(9, async |host| {
        let (cluster, [_leader, follower, other], runs) = start(&host).await;
        let first = follower.send(add("a", 1)).reported().await;
        let id = first.report.expect("a report").message_id;
        // Its node starts again, which closes the session.
        follower.shutdown().await;
        let limits = Limits::default();
        let again = start_node(&host, &runs, limits, ("node2", cluster.backend(1))).await;
        cluster.log.elect(Some(2));
        let expired = fault(again.send(add("a", 1)).id(id).await);
        assert_eq!((expired.code(), expired.outcome()), (FaultCode::Expired, Outcome::Unknown));
        let expired = fault(other.send(add("a", 1)).id(id).await);
        assert_eq!(expired.code(), FaultCode::Expired);
        let unknown = MessageId::new(id.session, 1 << 40);
        assert_eq!(fault(again.send(add("a", 1)).id(unknown).await).code(), FaultCode::Expired);
        assert_eq!(runs.get(), 1);
    });
}

#[test]
fn a_node_waits_for_a_leader_to_start_and_says_when_there_is_none() {
    catga_testkit::run(14, async |host| {
        let (cluster, runs) = (SharedCluster::new(&host), Runs::default());
        cluster.log.elect(None);
        let mut limits = Limits::default();
        limits.start_wait = Duration::from_secs(5);
        let started = Catga::builder()
            .name("node2")
            .host(host.clone())
            .limits(limits.clone())
            .backend(cluster.backend(1))
            .start();
        let error = started.await.expect_err("nobody leads").to_string();
        assert!(error.contains("no leader took this node in within 5s"), "{error}");
        let elect = async {
            host.sleep(Duration::from_secs(3)).await;
            cluster.log.elect(Some(1));
        };
        let started = start_node(&host, &runs, limits, ("node2", cluster.backend(1)));
        let (node, ()) = tokio::join!(started, elect);
        assert_eq!(node.send(add("a", 1)).await.expect("added").before, 0);
    });
}

#[test]
fn a_node_that_starts_again_serves_nothing_older_than_what_was_acknowledged() {
    catga_testkit::run(15, async |host| {
        let (cluster, [leader, follower, _other], runs) = start(&host).await;
        follower.shutdown().await;
        leader.send(add("a", 9)).await.expect("added");
        cluster.log.set_lagging(1, true);
        let heal = async {
            host.sleep(Duration::from_secs(3)).await;
            cluster.log.set_lagging(1, false);
        };
        let before = host.now();
        let limits = Limits::default();
        let started = start_node(&host, &runs, limits, ("node2", cluster.backend(1)));
        let (node, ()) = tokio::join!(started, heal);
        assert!(host.now() - before >= Duration::from_secs(3));
        assert_eq!(node.ask(Sum).await, Ok(9), "the first local read shows it");
    });
}
