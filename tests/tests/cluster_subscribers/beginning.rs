//! Where a new subscriber begins, and which one does not fit.

use std::time::Duration;

use catga::prelude::*;
use catga::{Each, StartFault, Subscriber, SubscriberError};
use catga_host::Host;
use catga_tests::parcels::{Order, World, builder};
use catga_tests::shared_cluster::SharedCluster;

#[test]
fn a_new_one_begins_where_it_says_and_a_failover_does_not_lose_the_place() {
    catga_testkit::run(7, async |host| {
        let (cluster, world) = (SharedCluster::new(&host), World::new(&host));
        let start = async |node: usize, name, subscribers: &[&str]| {
            let node = Catga::builder().backend(cluster.backend(node));
            builder(node, &world, name, subscribers).start().await.expect("a node starts")
        };
        let order = |number| Order { parcel: "a".to_owned(), number };
        let before = start(0, "node1", &[]).await;
        before.send(order(1)).await.expect("ordered");
        before.shutdown().await;
        cluster.log.elect(Some(0));
        let first = start(0, "node1", &["notify", "late"]).await;
        // Two sessions, an order, and the places of two subscribers.
        assert_eq!(first.position().offset.0, 5, "the places stand before anything is sent");
        first.send(order(2)).await.expect("ordered");
        // The first owner is gone before it records a move.
        cluster.log.elect(None);
        drop(first);
        let elect = async {
            host.sleep(Duration::from_secs(1)).await;
            cluster.log.elect(Some(1));
        };
        let (second, ()) = tokio::join!(start(1, "node2", &["notify", "late"]), elect);
        second.send(order(3)).await.expect("ordered");
        world.wait_until("all came", || world.numbers("late").ends_with(&[2, 3])).await;
        world.wait_until("all came", || world.numbers("notify").ends_with(&[1, 2, 3])).await;
        assert!(!world.numbers("late").contains(&1));
    });
}

/// As while a new build is rolled out: a node that leads does not know the subscriber yet.
#[test]
fn a_new_one_begins_when_the_node_that_owns_it_first_was_started() {
    catga_testkit::run(14, async |host| {
        let (cluster, world) = (SharedCluster::new(&host), World::new(&host));
        let start = async |node: usize, name, subscribers: &[&str]| {
            let node = Catga::builder().backend(cluster.backend(node));
            builder(node, &world, name, subscribers).start().await.expect("a node starts")
        };
        let order = |number| Order { parcel: "a".to_owned(), number };
        let older = start(0, "node1", &[]).await;
        older.send(order(1)).await.expect("ordered");
        let newer = start(1, "node2", &["late"]).await;
        newer.send(order(2)).await.expect("ordered");
        cluster.log.elect(Some(1));
        newer.send(order(3)).await.expect("ordered");
        world.wait_until("all came", || world.numbers("late") == [2, 3]).await;
    });
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "parcel.weighed", ephemeral)]
struct Weighed;

struct Scales;

impl Subscriber for Scales {
    type Event = Weighed;
    type Scope = catga::Durable;
    const NAME: &'static str = "scales";
    const EACH: Each = Each::Cluster;

    async fn deliver(&self, _: &Weighed, _: &Delivery, _: &mut Tx) -> Result<(), SubscriberError> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_ephemeral_is_delivered_to_the_whole_cluster() {
    let error = Catga::builder().subscriber(Scales).start().await.expect_err("it does not fit");
    let expected = StartFault::EphemeralInCluster { name: "scales", event: "parcel.weighed" };
    assert_eq!(error.faults(), [expected]);
}
