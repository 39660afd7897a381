//! Whole nodes of a cluster as they are in production, each on a simulated machine of its own:
//! runtime, journal, log on disk, links, founding. One seed decides a run.

use std::sync::Arc;
use std::time::Duration;

use catga::prelude::*;
use catga::{Cluster, DataDir, StartError};
use catga_testkit::VirtualHost;
use catga_testkit::disk::SimDisk;
use catga_testkit::network::SimNetwork;

use crate::orders::Orders;

/// The id of the cluster.
pub(crate) const CLUSTER: &str = "test";

/// Where a node keeps its data, on its own machine.
const DATA: &str = "/data";

/// Some machines in one network.
#[derive(Debug)]
pub struct Machines {
    /// What joins them.
    pub network: SimNetwork,
    hosts: Vec<Arc<VirtualHost>>,
}

/// The name of the node on machine `number`, and of the machine.
pub fn name(number: usize) -> String {
    format!("node{}", number + 1)
}

/// Where the node on machine `number` is reached.
pub fn endpoint(number: usize) -> String {
    format!("http://{}:5001", name(number))
}

impl Machines {
    /// `count` machines, whose chances follow from `seed`.
    pub fn new(test: &VirtualHost, seed: u64, count: usize) -> Self {
        let network = SimNetwork::new(seed, test.trace());
        let host = |number: usize| {
            let seed = seed * 100 + number as u64;
            let disk = SimDisk::new(seed);
            disk.set_sync_time(Duration::from_millis(1)..=Duration::from_millis(2));
            VirtualHost::in_network(seed, disk, &network, &name(number))
        };
        let hosts = (0..count).map(host).collect();
        Self { network, hosts }
    }

    /// One of them.
    pub fn host(&self, number: usize) -> &Arc<VirtualHost> {
        &self.hosts[number]
    }

    /// Gives machine `number` an empty disk.
    pub async fn wipe(&mut self, number: usize) {
        self.hosts[number].power_cut().await;
        let seed = self.hosts[number].seed() + 1_000_000;
        let disk = SimDisk::new(seed);
        let wiped = VirtualHost::in_network(seed, disk, &self.network, &name(number));
        self.hosts[number] = wiped;
    }

    /// The cluster of the first `members` machines, as the node on machine `number` is told of it.
    pub fn cluster(&self, number: usize, members: usize) -> Cluster {
        Cluster::new(CLUSTER, (0..members).map(endpoint))
            .name(name(number))
            .data_dir(DATA)
            .trust_network()
    }

    /// Starts the order service on machine `number` as a node of `cluster`.
    ///
    /// # Errors
    /// Why it does not start.
    pub async fn start(&self, number: usize, cluster: Cluster) -> Result<Node, StartError> {
        let builder = Catga::builder().host(self.hosts[number].clone());
        builder.service(|n| Orders { book: n.projection() }).cluster(cluster).start().await
    }

    /// Starts the order service on machine `number` as a process of its own.
    ///
    /// # Errors
    /// Why it does not start.
    pub async fn start_alone(&self, number: usize) -> Result<Node, StartError> {
        let builder = Catga::builder().name(name(number)).host(self.hosts[number].clone());
        let service = builder.service(|n| Orders { book: n.projection() });
        service.data_dir(DataDir::new(DATA)).start().await
    }

    /// Starts the first `members` machines as nodes of one cluster, all at once.
    ///
    /// # Panics
    /// If one does not start.
    pub async fn start_all(&self, members: usize) -> Vec<Node> {
        let start = |number| self.start(number, self.cluster(number, members));
        let started = futures_util::future::join_all((0..members).map(start)).await;
        started.into_iter().map(|node| node.expect("a node of a cluster starts")).collect()
    }

    /// Waits on the simulated clock until `holds`.
    ///
    /// # Panics
    /// If that has not come after a simulated minute.
    pub async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let start = tokio::time::Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
