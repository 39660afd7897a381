//! Requests to the leader, and their answers, get lost.

use std::time::Duration;

use catga::prelude::*;
use catga::{FaultCode, Outcome};
use catga_host::Host;
use catga_tests::switchboard::Loss;

use crate::rig::{fault, position_of, start};
use crate::tallies::{Sum, add};

#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_id() {
    catga_testkit::run(3, async |host| {
        let (cluster, [_leader, follower, _other], runs) = start(&host).await;
        // Its own node must not be the one that knows.
        cluster.log.set_lagging(1, true);
        cluster.board.lose([Loss::Answer, Loss::Request, Loss::NotSent]);
        let replied = follower.send(add("a", 3)).reported().await;
        assert_eq!(replied.answer.clone().expect("added").before, 0);
        assert_eq!(runs.get(), 1, "the second request found the effect");
        assert!(!replied.report.expect("a report").visible, "it does not show it in time");
        cluster.log.set_lagging(1, false);
        assert_eq!(follower.ask(Sum).after(position_of(&replied)).await, Ok(3));
    });
}

#[test]
fn a_leader_that_dies_after_the_commit_is_answered_for_by_own_apply() {
    catga_testkit::run(4, async |host| {
        let (cluster, [_leader, follower, _other], runs) = start(&host).await;
        cluster.board.lose([Loss::Silence]);
        let before = host.now();
        let added = follower.send(add("a", 3)).await.expect("added");
        assert_eq!((added.before, runs.get()), (0, 1));
        assert!(host.now() - before < Duration::from_millis(50), "nobody waited for the dead");
        assert_eq!(cluster.board.calls(), 3, "and nobody was asked again");
    });
}

#[test]
fn not_executed_is_said_only_with_proof() {
    catga_testkit::run(7, async |host| {
        let (cluster, [_leader, follower, _other], runs) = start(&host).await;
        let second = Duration::from_secs(1);
        cluster.log.elect(None);
        let before = host.now();
        let none = fault(follower.send(add("a", 1)).deadline(second).await);
        assert_eq!(none.code(), FaultCode::DeadlineBeforeStart);
        assert_eq!(none.outcome(), Outcome::NotExecuted);
        assert!(host.now() - before < second + Duration::from_millis(10));
        // The leader is known and cannot be reached.
        cluster.log.elect(Some(0));
        cluster.log.isolate(0);
        let unreached = fault(follower.send(add("a", 1)).deadline(second).await);
        assert_eq!(unreached.outcome(), Outcome::NotExecuted);
        assert!(unreached.message().contains("node1 could not be asked"), "{unreached}");
        cluster.log.heal();
        assert_eq!(runs.get(), 0);
        // One request may have arrived; whatever is proved of the later ones.
        cluster.board.lose([Loss::Request]);
        cluster.board.lose(vec![Loss::NotSent; 1000]);
        let replied = follower.send(add("a", 1)).deadline(second).reported().await;
        let id = replied.report.expect("a report").message_id;
        let unknown = fault(replied.answer);
        assert_eq!(unknown.code(), FaultCode::DeadlineInDoubt);
        assert_eq!(unknown.outcome(), Outcome::Unknown);
        cluster.board.lose([]);
        cluster.log.elect(Some(1));
        assert_eq!(follower.send(add("a", 1)).id(id).await.expect("a retry is safe").before, 0);
        assert_eq!(runs.get(), 1);
    });
}

#[test]
fn pauses_between_attempts_are_bounded_and_there_is_no_spin() {
    catga_testkit::run(8, async |host| {
        let (cluster, [_leader, follower, _other], _) = start(&host).await;
        let before = cluster.board.calls();
        cluster.board.lose(vec![Loss::NotSent; 10_000]);
        fault(follower.send(add("a", 1)).await);
        let calls = cluster.board.calls() - before;
        assert!((100..250).contains(&calls), "{calls} calls in ten seconds");
    });
}
