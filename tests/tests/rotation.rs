//! CAs and certificates are replaced on nodes at work: whole nodes on simulated machines.

use std::cell::Cell;
use std::time::Duration;

use catga::prelude::*;
use catga::{ClusterStatus, ReadLevel};
use catga_testkit::VirtualHost;
use catga_tests::authority::{Authority, tls};
use catga_tests::machines::Machines;
use catga_tests::orders::{CountOrders, CreateOrder};

/// Starts three nodes whose certificates `ca` has signed.
async fn start(test: &VirtualHost, ca: &Authority) -> (Machines, Vec<Node>) {
    let machines = Machines::new(test, 1, 3);
    for number in 0..3 {
        ca.install(machines.host(number), number, &[ca]).await;
    }
    let start = |number| machines.start(number, machines.cluster(number, 3).tls(tls()));
    let nodes = futures_util::future::join_all((0..3).map(start)).await;
    let nodes = nodes.into_iter().map(|node| node.expect("a node starts"));
    let nodes = nodes.collect();
    (machines, nodes)
}

fn statuses(nodes: &[Node]) -> Vec<ClusterStatus> {
    nodes.iter().map(|node| node.cluster().status()).collect()
}

#[test]
fn cas_and_certificates_are_replaced_under_commands_and_none_is_lost() {
    catga_testkit::run(1, async |test| {
        let (old, new) = (Authority::default(), Authority::default());
        let (machines, nodes) = start(&test, &old).await;
        let before = statuses(&nodes);
        let placed = Cell::new(0);
        let ordering = nodes.iter().map(async |node| {
            loop {
                let order = node.send(CreateOrder::for_customer("alice")).await;
                order.unwrap_or_else(|failure| panic!("after {}: {failure:?}", placed.get()));
                placed.set(placed.get() + 1);
                tokio::time::sleep(Duration::from_millis(7)).await;
            }
        });
        let rotating = async {
            for (ca, trusted) in [(&old, &[&old, &new][..]), (&new, &[&old, &new]), (&new, &[&new])]
            {
                // One node after the other, as people do it.
                for number in 0..3 {
                    ca.install(machines.host(number), number, trusted).await;
                    tokio::time::sleep(Duration::from_millis(2500)).await;
                }
            }
        };
        tokio::select! {
            () = rotating => {}
            never = futures_util::future::join_all(ordering) => drop(never),
        }
        for node in &nodes {
            // Of a command that is dropped it is open whether it counted: one for each node.
            let count = CountOrders { customer: "alice".to_owned() };
            let count = node.ask(count).level(ReadLevel::Linearizable).await.expect("it answers");
            assert!((placed.get()..=placed.get() + 3).contains(&count), "{count} of {placed:?}");
        }
        assert!(placed.get() > 3000, "{placed:?} were placed");
        let after = statuses(&nodes);
        for (before, after) in before.iter().zip(&after) {
            assert_eq!((&after.leader, after.term), (&before.leader, before.term));
            let certificate = after.certificate.as_ref().expect("there is TLS");
            assert_eq!(certificate.refused, None);
        }
    });
}

#[test]
fn what_does_not_fit_together_is_not_taken_and_everybody_who_looks_sees_it() {
    catga_testkit::run(1, async |test| {
        let (ours, theirs) = (Authority::default(), Authority::default());
        let (machines, nodes) = start(&test, &ours).await;
        let node = &nodes[0];
        assert_eq!(node.cluster().reload_certificate().await, Ok(false), "nothing is new");
        // Its peers would not take it.
        theirs.install(machines.host(0), 0, &[&ours]).await;
        let refused = node.cluster().reload_certificate().await.expect_err("it does not fit");
        assert!(refused.message().contains("none of the CAs"), "{refused:?}");
        let status = node.cluster().status().certificate.expect("there is TLS");
        assert!(status.refused.is_some_and(|why| why.contains("none of the CAs")));
        assert!(node.health().degraded[0].contains("none of the CAs"), "{:?}", node.health());
        assert!(node.metrics_text().contains("catga_certificate_refused 1"));
        node.send(CreateOrder::for_customer("bob")).await.expect("the old one goes on");
        ours.install(machines.host(0), 0, &[&ours]).await;
        assert_eq!(node.cluster().reload_certificate().await, Ok(true));
        assert!(node.health().degraded.is_empty(), "{:?}", node.health());
        let metrics = node.metrics_text();
        assert!(metrics.contains("catga_certificate_refused 0"), "{metrics}");
        assert!(metrics.contains("catga_certificate_expires_in_seconds "), "{metrics}");
    });
}
