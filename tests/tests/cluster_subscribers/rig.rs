//! Three nodes with subscribers of the whole cluster, on one log.

use std::sync::Arc;
use std::time::Duration;

use catga::prelude::*;
use catga::{DeadLetter, Limits, ReadLevel, SubscriberStatus};
use catga_host::Host;
use catga_testkit::VirtualHost;
use catga_tests::parcels::{GetLedger, Order, World, builder};
use catga_tests::shared_cluster::SharedCluster;

pub(crate) struct Rig {
    pub(crate) cluster: SharedCluster,
    pub(crate) world: Arc<World>,
    pub(crate) nodes: [Node; 3],
}

impl Rig {
    pub(crate) async fn start(host: &Arc<VirtualHost>, subscribers: &[&str]) -> Self {
        let mut limits = Limits::default();
        limits.delivery_attempts = 3;
        Self::start_with(host, limits, subscribers).await
    }

    pub(crate) async fn start_with(
        host: &Arc<VirtualHost>,
        limits: Limits,
        subscribers: &[&str],
    ) -> Self {
        let (cluster, world) = (SharedCluster::new(host), World::new(host));
        let nodes = cluster.start(async |name, backend| {
            let node = Catga::builder().limits(limits.clone()).backend(backend);
            builder(node, &world, name, subscribers).start().await.expect("a node starts")
        });
        let nodes = nodes.await;
        Self { cluster, world, nodes }
    }

    /// Orders something through one of the nodes.
    pub(crate) async fn order(&self, node: usize, parcel: &str, number: u64) {
        let order = Order { parcel: parcel.to_owned(), number };
        self.nodes[node].send(order).await.expect("ordered");
    }

    pub(crate) async fn shipped(&self) -> Vec<u64> {
        let asked = self.nodes[2].ask(GetLedger).level(ReadLevel::Linearizable);
        asked.await.expect("a ledger").shipped
    }

    /// Waits until as many were shipped, gives whatever else may come some time, and looks.
    pub(crate) async fn shipped_in_the_end(&self, host: &VirtualHost, count: usize) -> Vec<u64> {
        let end = host.now() + Duration::from_secs(600);
        while self.shipped().await.len() < count {
            assert!(host.now() < end, "waited in vain, {:?}", self.nodes[0].subscribers());
            host.sleep(Duration::from_millis(50)).await;
        }
        host.sleep(Duration::from_secs(5)).await;
        self.shipped().await
    }

    pub(crate) async fn letters(&self, subscriber: &str) -> Vec<DeadLetter> {
        self.nodes[2].dead_letters(subscriber).await.expect("it can be told on every node")
    }

    /// Waits until so many are dead letters, and so many wait behind them.
    pub(crate) async fn wait_until_held(&self, subscriber: &str, letters: usize, parked: usize) {
        let what = format!("{letters} dead letters with {parked} behind them");
        let status = || self.owner(subscriber);
        let held = || status().is_some_and(|it| (it.dead_letters, it.parked) == (letters, parked));
        self.world.wait_until(&what, held).await;
    }

    /// The subscriber as its owner shows it.
    pub(crate) fn owner(&self, subscriber: &str) -> Option<SubscriberStatus> {
        let of_all = self.nodes.iter().flat_map(|node| node.subscribers());
        of_all.into_iter().find(|it| it.name == subscriber && it.is_owner)
    }

    pub(crate) async fn retry(&self, subscriber: &str, letter: &DeadLetter) {
        let asked = self.nodes[2].retry_dead_letter(subscriber, letter.position, letter.index);
        asked.await.expect("it can be asked for on every node");
    }
}
