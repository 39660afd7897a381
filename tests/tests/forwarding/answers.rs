//! What is answered is the same on every node.

use catga::prelude::*;
use catga::{Failure, FaultCode, Limits, Outcome, ReadLevel};
use catga_tests::shared_cluster::SharedCluster;
use catga_tests::shared_log::Doubt;
use catga_tests::switchboard::Loss;

use crate::rig::{Runs, fault, position_of, start, start_node};
use crate::tallies::{Grown, Sum, TallyError, add};

#[test]
fn a_follower_answers_what_the_leader_decided_and_shows_it_at_once() {
    catga_testkit::run(1, async |host| {
        let (cluster, [leader, follower, other], runs) = start(&host).await;
        host.set_wall(catga_testkit::time("2027-03-04T05:06:07Z"));
        let replied = follower.send(add("a", 3)).reported().await;
        let added = replied.answer.clone().expect("added");
        assert_eq!((added.before, runs.get()), (0, 1));
        assert_eq!(added.at.to_string(), "2027-03-04T05:06:07.000Z");
        assert!(replied.report.expect("a report").visible);
        assert_eq!(follower.ask(Sum).await, Ok(3), "it reads its own write");
        let seen = position_of(&replied);
        assert_eq!(other.ask(Sum).after(seen).await, Ok(3));
        assert_eq!(leader.send(add("a", 4)).await.expect("added").before, 3);
        assert_eq!(other.ask(Sum).level(ReadLevel::Linearizable).await, Ok(7));
        assert_eq!(cluster.board.calls(), 3, "two sessions and one command");
    });
}

#[test]
fn refusals_and_keys_are_the_same_from_every_node() {
    catga_testkit::run(2, async |host| {
        let (_cluster, nodes, runs) = start(&host).await;
        for node in &nodes {
            let refused = node.send(add("a", 1001)).key("k").await;
            assert_eq!(refused, Err(Failure::Domain(TallyError::TooMuch(1001))));
        }
        assert_eq!(runs.get(), 1, "the first refusal is recorded, and heard again");
        let first = nodes[1].send(add("a", 5)).key("five").reported().await;
        let again = nodes[2].send(add("a", 5)).key("five").reported().await;
        assert_eq!(first.answer, again.answer);
        assert_eq!(position_of(&first), position_of(&again));
        assert_eq!(first.report.map(|it| it.message_id), again.report.map(|it| it.message_id));
        let other = fault(nodes[2].send(add("a", 6)).key("five").await);
        assert_eq!(other.code(), FaultCode::PayloadMismatch);
        // An id is known everywhere, too.
        let id = first.report.expect("a report").message_id;
        assert_eq!(nodes[2].send(add("a", 5)).id(id).await, first.answer);
        assert_eq!(nodes[0].send(add("a", 5)).id(id).await, first.answer);
        assert_eq!(runs.get(), 2);
    });
}

#[test]
fn a_command_that_the_leader_does_not_know_is_refused_at_once() {
    catga_testkit::run(12, async |host| {
        let (cluster, runs) = (SharedCluster::new(&host), Runs::default());
        let older = Catga::builder().name("node1").host(host.clone()).backend(cluster.backend(0));
        let _older = older.start().await.expect("a node without services starts");
        let limits = Limits::default();
        let newer = start_node(&host, &runs, limits, ("node2", cluster.backend(1))).await;
        let unknown = fault(newer.send(add("a", 1)).await);
        assert_eq!(unknown.code(), FaultCode::NoHandler);
        assert_eq!(unknown.outcome(), Outcome::NotExecuted);
        assert!(unknown.message().contains("node1 leads"), "{unknown}");
        cluster.log.elect(Some(1));
        assert_eq!(newer.send(add("a", 1)).await.expect("added").before, 0);
    });
}

#[test]
fn an_event_from_outside_is_appended_by_the_leader() {
    catga_testkit::run(13, async |host| {
        let (cluster, [leader, follower, _other], _) = start(&host).await;
        let grown = || Grown { tally: "b".to_owned(), amount: 2 };
        follower.publish(grown()).await.expect("published");
        assert_eq!(follower.position(), leader.position(), "it shows it");
        cluster.board.lose([Loss::Answer, Loss::Request]);
        cluster.log.set_lagging(1, true);
        follower.publish(grown()).await.expect("published");
        cluster.log.set_lagging(1, false);
        cluster.log.doubt(0, [Doubt::Kept]);
        follower.publish(grown()).await.expect("published");
        leader.publish(grown()).await.expect("published");
        assert_eq!(leader.ask(Sum).level(ReadLevel::Linearizable).await, Ok(8));
    });
}
