//! What a disk loses of a node's history, as the node's users meet it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catga::ReadLevel;
use catga::prelude::*;
use catga_host::Host;
use catga_testkit::disk::{Call, Fault};
use catga_tests::machines::{Machines, name};
use catga_tests::orders::{CountOrders, CreateOrder, OrderCreated, OrderId, Orders};
use futures_util::future::join_all;

/// Leaves so many on all disks, with nobody running.
async fn with_thirty_orders(machines: &Machines) {
    let nodes = machines.start_all(3).await;
    for number in 0..30 {
        let placed = nodes[number % 3].send(CreateOrder::for_customer("alice")).await;
        placed.expect("an order is placed");
    }
    for node in nodes {
        // With a last checkpoint, so that the history is on disk.
        node.shutdown().await;
    }
}

/// A view that has to be folded anew waits for what is damaged, and is whole afterwards: whichever
/// read of the history it is that shows the damage.
#[test]
fn a_view_over_a_damaged_history_waits_until_it_is_mended() {
    for read in 1..=8 {
        catga_testkit::run(read, async |test| {
            let machines = Machines::new(&test, 1, 3);
            with_thirty_orders(&machines).await;
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

/// Who was delivered, by name of the subscriber and the node.
type Delivered = Arc<Mutex<BTreeSet<(String, OrderId)>>>;

struct Mailers {
    node: String,
    delivered: Delivered,
}

#[service]
impl Mailers {
    #[subscriber(name = "of-each", each = "node", from = "start")]
    async fn of_each(&self, event: &OrderCreated, _: &Delivery) -> Result<(), String> {
        self.delivered.lock().expect("not poisoned").insert((self.node.clone(), event.id));
        Ok(())
    }

    #[subscriber(name = "of-all", each = "cluster", from = "start")]
    async fn of_all(&self, event: &OrderCreated, _: &Delivery) -> Result<(), String> {
        self.delivered.lock().expect("not poisoned").insert(("all".to_owned(), event.id));
        Ok(())
    }
}

/// A subscriber that meets damage goes on by itself when that is mended, on each node and on the one
/// that leads.
#[test]
fn subscribers_to_a_damaged_history_go_on_when_it_is_mended() {
    for (read, damaged) in (2..=5).flat_map(|read| (0..3).map(move |number| (read, number))) {
        catga_testkit::run(read, async |test| {
            let machines = Machines::new(&test, 1, 3);
            with_thirty_orders(&machines).await;
            let cut_short =
                Fault::of(Call::Read).nth(read).error(std::io::ErrorKind::UnexpectedEof);
            let history = |path: &Path| path.extension().is_some_and(|end| end == "history");
            machines.host(damaged).disk().fail(cut_short.on(history));
            let delivered = Delivered::default();
            let start = |number| {
                let mailers = Mailers { node: name(number), delivered: delivered.clone() };
                let builder = Catga::builder().host(machines.host(number).clone());
                let builder = builder.service(|n| Orders { book: n.projection() });
                let builder = builder.service(|_| mailers);
                builder.cluster(machines.cluster(number, 3)).start()
            };
            let nodes: Vec<_> = join_all((0..3).map(start)).await;
            assert!(nodes.iter().all(Result::is_ok), "{nodes:?}");
            let all = || delivered.lock().expect("not poisoned").len() == 4 * 30;
            machines.until("all are delivered on all nodes", all).await;
        });
    }
}
