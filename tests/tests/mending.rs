//! What a disk loses of a node's history, as the node's users meet it.

use std::time::Duration;

use catga::prelude::*;
use catga::{NodeState, ReadLevel};
use catga_host::Host;
use catga_tests::machines::Machines;
use catga_tests::orders::{CountOrders, CreateOrder};

/// A view that has to be folded anew waits for what is damaged, and is whole afterwards.
#[test]
fn a_view_over_a_damaged_history_waits_until_it_is_mended() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        for number in 0..30 {
            let placed = nodes[number % 3].send(CreateOrder::for_customer("alice")).await;
            placed.expect("an order is placed");
        }
        for node in nodes {
            // With a last checkpoint, so that the history is on disk.
            node.shutdown().await;
        }
        let disk = machines.host(1).disk();
        let files = machines.host(1).files();
        let (mut flipped, mut removed) = (0, 0);
        for path in disk.paths() {
            if path.extension().is_some_and(|end| end == "history") {
                let length = disk.contents(&path).expect("it is there").len() as u64;
                disk.flip_bit(&path, length / 2).expect("it is so long");
                flipped += 1;
            } else if path.starts_with("/data/views") {
                files.remove(&path).expect("it is there");
                removed += 1;
            }
        }
        assert!(flipped > 0 && removed > 0, "{:?}", disk.paths());
        let nodes = machines.start_all(3).await;
        let count = CountOrders { customer: "alice".to_owned() };
        let counted = nodes[1].ask(count).level(ReadLevel::Linearizable);
        assert_eq!(counted.deadline(Duration::from_secs(20)).await.expect("it is mended"), 30);
        assert!(nodes[1].projections().iter().all(|view| view.quarantined.is_none()));
        assert_ne!(nodes[1].cluster().status().state, NodeState::Starting);
    });
}
