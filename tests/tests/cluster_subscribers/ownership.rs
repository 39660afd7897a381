//! Who owns a subscriber, and who has owned it.

use std::time::Duration;

use catga::{Each, SubscriberState};
use catga_host::Host;
use catga_tests::parcels::GetLedger;

use crate::rig::Rig;

#[test]
fn the_leader_alone_delivers_and_the_next_one_goes_on() {
    catga_testkit::run(1, async |host| {
        host.set_wall(catga_testkit::time("2027-03-04T05:06:07Z"));
        let rig = Rig::start(&host, &["ship"]).await;
        rig.order(1, "a", 1).await;
        assert_eq!(rig.shipped_in_the_end(&host, 1).await, [1]);
        let [first, second, _] = rig.nodes.each_ref().map(|node| node.subscribers().remove(0));
        assert_eq!((first.each, first.is_owner), (Each::Cluster, true));
        assert_eq!((second.is_owner, second.state), (false, SubscriberState::Idle));
        // Half an hour later it is delivered with the time of the event.
        rig.world.hold("node1", 2);
        rig.order(1, "a", 2).await;
        host.sleep(Duration::from_secs(1800)).await;
        rig.world.let_go();
        rig.cluster.log.elect(Some(1));
        rig.order(0, "a", 3).await;
        assert_eq!(rig.shipped_in_the_end(&host, 3).await, [1, 2, 3]);
        let ledger = rig.nodes[0].ask(GetLedger).await.expect("a ledger");
        assert!(ledger.at[1] < catga_testkit::time("2027-03-04T05:07:00Z"), "{:?}", ledger.at);
        assert_eq!(rig.world.derived_max(), 1, "each attempt derives the same");
        assert!(rig.nodes[1].subscribers()[0].is_owner && !rig.nodes[0].subscribers()[0].is_owner);
    });
}

/// It leads again when it ends, so that only the record of the cursor stands against it.
#[test]
fn what_a_deposed_owner_ends_late_has_no_effect() {
    catga_testkit::run(2, async |host| {
        let rig = Rig::start(&host, &["ship"]).await;
        rig.world.hold("node1", 1);
        rig.order(0, "a", 1).await;
        rig.world.wait_until("it is delivered", || !rig.world.numbers("ship").is_empty()).await;
        rig.cluster.log.elect(Some(1));
        assert_eq!(rig.shipped_in_the_end(&host, 1).await, [1], "by the next owner");
        rig.cluster.log.elect(Some(0));
        let entries = rig.cluster.log.entries();
        rig.world.let_go();
        host.sleep(Duration::from_secs(5)).await;
        assert!(rig.cluster.log.entries() > entries, "it was proposed");
        assert_eq!(rig.shipped().await, [1]);
        rig.order(2, "a", 2).await;
        assert_eq!(rig.shipped_in_the_end(&host, 2).await, [1, 2]);
        let last = rig.world.deliveries("ship").pop().expect("delivered");
        assert_eq!((last.node, last.number), ("node1", 2), "it owns it again");
    });
}

#[test]
fn an_owner_that_is_cut_off_delivers_nothing_again() {
    catga_testkit::run(15, async |host| {
        let rig = Rig::start(&host, &["notify"]).await;
        rig.order(0, "a", 1).await;
        rig.world.wait_until("it came", || rig.world.numbers("notify") == [1]).await;
        rig.cluster.log.isolate(0);
        // It cannot record that, and does not know that it leads nobody.
        let told =
            || matches!(rig.nodes[0].subscribers()[0].state, SubscriberState::Retrying { .. });
        rig.world.wait_until("it is told in the status", told).await;
        host.sleep(Duration::from_secs(60)).await;
        assert_eq!(rig.world.numbers("notify"), [1]);
        rig.cluster.log.elect(Some(1));
        rig.world.wait_until("the next one has it", || rig.world.numbers("notify") == [1, 1]).await;
        rig.cluster.log.heal();
        rig.order(0, "a", 2).await;
        rig.world.wait_until("it goes on", || rig.world.numbers("notify") == [1, 1, 2]).await;
    });
}

#[test]
fn a_node_that_drains_ends_the_delivery_under_way() {
    catga_testkit::run(6, async |host| {
        let rig = Rig::start(&host, &["ship"]).await;
        rig.world.hold("node1", 1);
        rig.order(0, "a", 1).await;
        rig.order(0, "a", 2).await;
        rig.world.wait_until("it is delivered", || !rig.world.numbers("ship").is_empty()).await;
        let let_go = async {
            host.sleep(Duration::from_secs(3)).await;
            rig.world.let_go();
        };
        let (drained, ()) = tokio::join!(rig.nodes[0].shutdown(), let_go);
        assert!(drained);
        assert_eq!(rig.shipped_in_the_end(&host, 2).await, [1, 2]);
        assert_eq!(rig.world.numbers("ship"), [1, 2], "the first was not delivered again");
        assert_eq!(rig.world.deliveries("ship")[1].node, "node2");
    });
}
