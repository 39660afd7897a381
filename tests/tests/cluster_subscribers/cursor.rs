//! How far a subscriber is: what that costs, and what it outlives.

use std::time::Duration;

use catga::prelude::*;
use catga::{DataDir, Limits};
use catga_host::Host;
use catga_tests::parcels::{GetLedger, Order, World, builder};
use catga_tests::shared_log::Doubt;

use crate::rig::Rig;

#[test]
fn an_effect_in_doubt_counts_once_whatever_became_of_it() {
    catga_testkit::run(3, async |host| {
        let rig = Rig::start(&host, &["ship"]).await;
        for (number, doubt) in (1..).zip([Doubt::Kept, Doubt::Lost]) {
            rig.world.hold("node1", number);
            rig.order(0, "a", number).await;
            let delivered = || rig.world.numbers("ship").contains(&number);
            rig.world.wait_until("it is delivered", delivered).await;
            rig.cluster.log.doubt(0, [doubt]);
            rig.world.let_go();
            let all: Vec<_> = (1..=number).collect();
            assert_eq!(rig.shipped_in_the_end(&host, all.len()).await, all);
        }
        assert_eq!(rig.world.numbers("ship"), [1, 2, 2], "what was lost came again");
    });
}

#[test]
fn moves_of_the_cursor_cost_few_effects() {
    catga_testkit::run(4, async |host| {
        let rig = Rig::start(&host, &["notify"]).await;
        let before = rig.nodes[0].position().offset.0;
        for number in 0..300 {
            rig.order(0, "a", number).await;
        }
        let all: Vec<_> = (0..300).collect();
        rig.world.wait_until("all are delivered", || rig.world.numbers("notify") == all).await;
        host.sleep(Duration::from_secs(5)).await;
        let effects = rig.nodes[0].position().offset.0 - before - 300;
        assert!((1..=300 / 64 + 1).contains(&effects), "{effects} for 300 events");

        let rig = Rig::start(&host, &["ship"]).await;
        let before = rig.nodes[0].position().offset.0;
        for number in 0..50 {
            rig.order(0, "a", number).await;
        }
        rig.shipped_in_the_end(&host, 50).await;
        assert_eq!(rig.nodes[0].position().offset.0 - before, 100, "the cursor moves with each");
        // A transaction that is left empty is as cheap as none.
        rig.world.set_silent(true);
        for number in 50..100 {
            rig.order(0, "a", number).await;
        }
        rig.world.wait_until("all are seen", || rig.world.numbers("ship").len() == 100).await;
        host.sleep(Duration::from_secs(5)).await;
        let effects = rig.nodes[0].position().offset.0 - before - 150;
        assert!((1..=2).contains(&effects), "{effects} for 50 events");
    });
}

#[test]
fn at_most_the_last_batch_comes_again_after_a_failover_and_nothing_after_a_drain() {
    catga_testkit::run(5, async |host| {
        let rig = Rig::start(&host, &["notify"]).await;
        for number in 1..=3 {
            rig.order(0, "a", number).await;
        }
        rig.world.wait_until("all came", || rig.world.numbers("notify").len() == 3).await;
        rig.cluster.log.elect(Some(1));
        rig.world.wait_until("all come again", || rig.world.numbers("notify").len() == 6).await;
        assert_eq!(rig.world.numbers("notify"), [1, 2, 3, 1, 2, 3], "in order");
        // Recorded meanwhile.
        host.sleep(Duration::from_secs(2)).await;
        rig.cluster.log.elect(Some(0));
        rig.order(2, "a", 4).await;
        rig.world.wait_until("it came", || rig.world.numbers("notify").len() == 7).await;
        // Not recorded yet, and its owner stops in order.
        assert!(rig.nodes[0].shutdown().await);
        rig.order(2, "a", 5).await;
        rig.world.wait_until("it came", || rig.world.numbers("notify").contains(&5)).await;
        host.sleep(Duration::from_secs(5)).await;
        assert_eq!(rig.world.numbers("notify"), [1, 2, 3, 1, 2, 3, 4, 5]);
        assert_eq!(rig.world.nodes("notify").into_iter().collect::<Vec<_>>(), ["node1", "node2"]);
    });
}

#[test]
fn what_is_held_and_the_cursor_outlive_the_process() {
    catga_testkit::run(8, async |host| {
        let world = World::new(&host);
        let start = async || {
            let mut limits = Limits::default();
            limits.delivery_attempts = 2;
            let node = Catga::builder().limits(limits).data_dir(DataDir::new("/data/node1"));
            let node = builder(node, &world, "node1", &["ship", "notify"]);
            node.start().await.expect("a node on disk starts")
        };
        let node = start().await;
        world.break_only([1]);
        for number in 1..=4 {
            let parcel = if number < 3 { "a" } else { "b" };
            node.send(Order { parcel: parcel.to_owned(), number }).await.expect("ordered");
        }
        world.wait_until("all came", || world.numbers("notify").ends_with(&[2, 3, 4])).await;
        world.wait_until("all came", || world.numbers("ship").ends_with(&[3, 4])).await;
        node.shutdown().await;
        let node = start().await;
        world.break_only([]);
        let letters = node.dead_letters("ship").await.expect("listed");
        assert_eq!((letters.len(), letters[0].attempts, letters[0].parked), (1, 2, 1));
        let letter = &letters[0];
        node.retry_dead_letter("ship", letter.position, letter.index).await.expect("asked for");
        world.wait_until("all came", || world.numbers("ship").ends_with(&[1, 2])).await;
        host.sleep(Duration::from_secs(5)).await;
        assert_eq!(world.numbers("ship"), [1, 1, 3, 4, 1, 2]);
        assert_eq!(world.numbers("notify"), [1, 1, 2, 3, 4]);
        assert_eq!(node.ask(GetLedger).await.expect("a ledger").shipped, [3, 4, 1, 2]);
        assert_eq!(node.dead_letters("notify").await.expect("listed").len(), 1);
    });
}
