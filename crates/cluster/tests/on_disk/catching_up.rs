//! A replica that is too far behind for the log, or new, gets the state of another.

use crate::nodes::{history_bytes, member, ms, name, on_nodes};

#[test]
fn a_follower_that_was_down_while_the_log_was_trimmed_catches_up() {
    on_nodes(async |nodes| {
        let follower = nodes.lagging().await;
        nodes.start(follower).await;
        nodes.settled(follower).await;
        assert!(nodes.shipments.requests() > 5, "by a snapshot");
        nodes.check().await;
        // It goes on, makes checkpoints of its own, and starts from them.
        nodes.commit(40).await;
        nodes.end(follower, true).await;
        let before = nodes.shipments.requests();
        nodes.start(follower).await;
        nodes.settled(follower).await;
        assert_eq!(nodes.shipments.requests(), before, "and no snapshot is needed");
    });
}

#[test]
fn a_new_node_gets_everything() {
    on_nodes(async |nodes| {
        nodes.leave_behind(3, Some(30)).await;
        nodes.start(3).await;
        let (id, node) = member(3);
        let leader = nodes.at(nodes.leader().expect("one leads"));
        leader.log().raft().add_learner(id, node, false).await.expect("a learner");
        nodes.settled(3).await;
        assert!(nodes.shipments.requests() > 5, "by a snapshot");
    });
}

#[test]
fn what_it_has_is_not_sent_again() {
    on_nodes(async |nodes| {
        let follower = nodes.lagging().await;
        nodes.start(follower).await;
        nodes.settled(follower).await;
        nodes.commit(200).await;
        nodes.settled(follower).await;
        let held = history_bytes(&nodes.machines[follower]);
        let last = nodes.at(follower).log().progress().last;
        nodes.end(follower, false).await;
        nodes.leave_behind(follower, last).await;
        let before = nodes.shipments.bytes();
        nodes.start(follower).await;
        nodes.settled(follower).await;
        let shipped = nodes.shipments.bytes() - before;
        let whole = history_bytes(&nodes.machines[follower]);
        assert!(held > whole / 2, "it had {held} of {whole}");
        assert!(shipped > 0 && shipped < whole, "{shipped} bytes for a history of {whole}");
    });
}

#[test]
fn it_goes_on_where_it_was_after_the_link_was_cut() {
    on_nodes(async |nodes| {
        let follower = nodes.lagging().await;
        nodes.commit(150).await;
        let leader = nodes.leader().expect("one leads");
        nodes.start(follower).await;
        for _ in 0..3 {
            nodes.wait_for_requests(30).await;
            nodes.network.cut(&name(leader), &name(follower));
            nodes.network.cut(&name(follower), &name(leader));
            tokio::time::sleep(ms(400)).await;
            nodes.network.heal_all();
        }
        nodes.settled(follower).await;
        nodes.check_once(follower);
    });
}

#[test]
fn another_leader_goes_on_with_what_is_there() {
    on_nodes(async |nodes| {
        let follower = nodes.lagging().await;
        nodes.commit(150).await;
        let leader = nodes.leader().expect("one leads");
        nodes.start(follower).await;
        nodes.wait_for_requests(40).await;
        nodes.end(leader, false).await;
        let another = || nodes.leader().is_some_and(|now| now != leader);
        nodes.wait_for("another leader", another).await;
        nodes.settled(follower).await;
        nodes.check_once(follower);
        nodes.start(leader).await;
        nodes.settled(leader).await;
    });
}

#[test]
fn a_receiver_that_loses_its_power_keeps_what_it_has() {
    on_nodes(async |nodes| {
        let follower = nodes.lagging().await;
        nodes.commit(150).await;
        nodes.start(follower).await;
        for power in [true, false, true] {
            nodes.wait_for_requests(30).await;
            nodes.end(follower, power).await;
            nodes.commit(2).await;
            nodes.start(follower).await;
        }
        nodes.settled(follower).await;
        nodes.check_once(follower);
    });
}

#[test]
fn a_part_that_was_changed_on_its_way_is_refused_and_sent_again() {
    on_nodes(async |nodes| {
        let follower = nodes.lagging().await;
        nodes.shipments.flip_after(7);
        let before = nodes.shipments.requests();
        nodes.start(follower).await;
        nodes.settled(follower).await;
        let flipped = nodes.shipments.has_flipped();
        assert!(flipped && nodes.shipments.requests() > before + 7);
    });
}
