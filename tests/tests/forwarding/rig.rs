//! Three nodes of tallies on one log, of which each has a backend of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use catga::prelude::*;
use catga::{Failure, Limits, Position, Replied};
use catga_testkit::VirtualHost;
use catga_tests::shared_cluster::{SharedBackend, SharedCluster};

use crate::tallies::Tallies;

/// How often handlers ran, on all nodes.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<AtomicU64>);

impl Runs {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) async fn start_node(
    host: &Arc<VirtualHost>,
    runs: &Runs,
    limits: Limits,
    (name, backend): (&'static str, SharedBackend),
) -> Node {
    let runs = runs.0.clone();
    let started = Catga::builder()
        .name(name)
        .host(host.clone())
        .limits(limits)
        .backend(backend)
        .service(|n| Tallies { total: n.projection(), runs })
        .start();
    started.await.expect("a node of a cluster starts")
}

pub(crate) async fn start(host: &Arc<VirtualHost>) -> (SharedCluster, [Node; 3], Runs) {
    let (cluster, runs) = (SharedCluster::new(host), Runs::default());
    let nodes = cluster.start(async |name, backend| {
        start_node(host, &runs, Limits::default(), (name, backend)).await
    });
    let nodes = nodes.await;
    (cluster, nodes, runs)
}

/// Lets what was started run until it waits.
pub(crate) async fn step() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn position_of<R, E>(replied: &Replied<R, E>) -> Position {
    replied.report.and_then(|report| report.position).expect("it has an effect")
}

pub(crate) fn fault<R: std::fmt::Debug, E: std::fmt::Debug>(answer: Answer<R, E>) -> Fault {
    match answer {
        Err(Failure::Fault(fault)) => fault,
        answer => panic!("no fault: {answer:?}"),
    }
}
