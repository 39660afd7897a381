//! The suite that every log passes, over one node and over three.

mod support;

use std::cell::Cell;

use catga_journal::conformance::{Finding, log_faults, log_suite};

use support::{Cluster, simulate};

/// Runs the suite over clusters of `nodes` nodes; the checks that it could not ask.
fn suite(nodes: usize) -> Vec<&'static str> {
    simulate(1, async {
        let seed = Cell::new(0);
        let report = log_suite(|| {
            seed.set(seed.get() + 1);
            Cluster::new(nodes, seed.get())
        });
        let report = Box::pin(report).await;
        report.assert_kept();
        report.not_applicable().collect()
    })
}

#[test]
fn three_nodes_keep_every_promise() {
    assert!(suite(3).is_empty(), "with three nodes everything can be asked");
}

#[test]
fn one_node_keeps_every_promise() {
    // It has nobody to be cut off from, or to send a snapshot to.
    assert_eq!(suite(1).len(), 2);
}

#[test]
fn three_nodes_keep_the_promises_under_the_faults_of_the_suite() {
    for seed in 0..8 {
        let found =
            simulate(seed, async { Box::pin(log_faults(Cluster::new(3, seed), seed)).await });
        assert_eq!(found, Ok(Finding::Kept), "seed {seed}");
    }
}
