//! What a disk loses of a node's history, as the node's users meet it.

use std::time::Duration;

use catga::ReadLevel;
use catga::prelude::*;
use catga_host::Host;
use catga_testkit::disk::{Call, Fault};
use catga_tests::machines::Machines;
use catga_tests::orders::{CountOrders, CreateOrder};

/// A view that has to be folded anew waits for what is damaged, and is whole afterwards: whichever
/// read of the history it is that shows the damage.
#[test]
fn a_view_over_a_damaged_history_waits_until_it_is_mended() {
    for read in 1..=8 {
        catga_testkit::run(read, async |test| {
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
            let (disk, files) = (machines.host(1).disk(), machines.host(1).files());
            let views = disk.paths().into_iter().filter(|path| path.starts_with("/data/views"));
            let removed = views.map(|path| files.remove(&path).expect("it is there")).count();
            assert!(removed > 0, "{:?}", disk.paths());
            let cut_short =
                Fault::of(Call::Read).nth(read).error(std::io::ErrorKind::UnexpectedEof);
            disk.fail(cut_short.on(|path| path.extension().is_some_and(|end| end == "history")));
            let nodes = machines.start_all(3).await;
            let count = CountOrders { customer: "alice".to_owned() };
            let counted = nodes[1].ask(count).level(ReadLevel::Linearizable);
            let counted = counted.deadline(Duration::from_secs(20)).await;
            assert_eq!(counted.expect("it is mended"), 30, "read {read}");
        });
    }
}
