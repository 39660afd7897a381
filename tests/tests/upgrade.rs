//! A cluster whose builds are replaced one at a time: whole nodes on simulated machines. A build that
//! knows only the first version of the engine's rules is one that goes along with no other.

use std::time::Duration;

use catga::prelude::*;
use catga::{Cluster, ENGINE_VERSION};
use catga_tests::machines::{Machines, endpoint, name};
use catga_tests::orders::{count, order};

/// The cluster of the first three, as an older build starts it on machine `number`.
fn older(machines: &Machines, number: usize) -> Cluster {
    machines.cluster(number, 3).engine_version_max(1)
}

async fn started(machines: &Machines) -> Vec<Node> {
    let start = |number| machines.start(number, older(machines, number));
    let nodes = futures_util::future::join_all((0..3).map(start)).await;
    nodes.into_iter().map(|node| node.expect("it starts")).collect()
}

fn active(node: &Node) -> u32 {
    node.cluster().status().engine.active
}

/// What the member called `of` goes along with, as `node` has heard.
fn announced(node: &Node, of: &str) -> u32 {
    let members = node.cluster().status().members;
    let member = members.iter().find(|member| member.name.as_str() == of).expect("a member");
    member.engine_version
}

/// Replaces the build of one node, which comes to a halt in between.
async fn replace(machines: &Machines, nodes: &mut [Node], number: usize, cluster: Cluster) {
    nodes[number].shutdown().await;
    machines.host(number).power_cut().await;
    machines.host(number).power_on();
    nodes[number] = machines.start(number, cluster).await.expect("it starts");
}

/// Longer than a leader takes to look after the engine.
async fn a_while() {
    tokio::time::sleep(Duration::from_secs(5)).await;
}

#[test]
fn newer_rules_begin_once_every_member_goes_along() {
    for seed in 1..=3 {
        catga_testkit::run(seed, async |test| {
            let machines = Machines::new(&test, seed, 4);
            let mut nodes = started(&machines).await;
            for replaced in 0..3 {
                for node in &nodes {
                    order(node, "alice").await;
                }
                a_while().await;
                assert!(nodes.iter().all(|node| active(node) == 1), "{replaced} are replaced");
                let cluster = machines.cluster(replaced, 3);
                replace(&machines, &mut nodes, replaced, cluster).await;
            }
            let raised = || nodes.iter().all(|node| active(node) == ENGINE_VERSION);
            machines.until("all decide by newer rules", raised).await;
            for (placed, node) in (10..).zip(&nodes) {
                order(node, "alice").await;
                assert_eq!(count(node, "alice").await, placed);
            }
        });
    }
}

#[test]
fn a_former_build_comes_back_as_long_as_the_rules_are_its_own() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let mut nodes = started(&machines).await;
        for number in [0, 1] {
            let cluster = machines.cluster(number, 3);
            replace(&machines, &mut nodes, number, cluster).await;
        }
        machines
            .until("it is known", || {
                nodes.iter().all(|node| announced(node, "node1") == ENGINE_VERSION)
            })
            .await;
        order(&nodes[0], "alice").await;
        let cluster = older(&machines, 0);
        replace(&machines, &mut nodes, 0, cluster).await;
        machines
            .until("it is known", || nodes.iter().all(|node| announced(node, "node1") == 1))
            .await;
        let cluster = machines.cluster(2, 3);
        replace(&machines, &mut nodes, 2, cluster).await;
        a_while().await;
        for node in &nodes {
            assert_eq!(active(node), 1, "one of them knows no other rules");
            order(node, "alice").await;
        }
        assert_eq!(count(&nodes[1], "alice").await, 4);
    });
}

#[test]
fn an_older_build_has_no_place_where_newer_rules_are_in_force() {
    catga_testkit::run(1, async |test| {
        let mut machines = Machines::new(&test, 1, 4);
        let nodes = machines.start_all(3).await;
        let raised = || nodes.iter().all(|node| active(node) == ENGINE_VERSION);
        machines.until("all decide by newer rules", raised).await;
        order(&nodes[0], "alice").await;
        // A new one does not join.
        let cluster = older(&machines, 3).address(endpoint(3));
        let why = machines.start(3, cluster).await.expect_err("it is too old").to_string();
        assert!(why.contains("node4 goes along with 1 at most"), "{why}");
        machines.wipe(3).await;
        let cluster = machines.cluster(3, 3).address(endpoint(3));
        machines.start(3, cluster).await.expect("a newer one does");
        // And one that was there does not come back.
        nodes[2].shutdown().await;
        machines.host(2).power_cut().await;
        machines.host(2).power_on();
        let why = match machines.start(2, older(&machines, 2)).await {
            Ok(node) => node.failed().await.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(why.contains("goes along with 1 at most"), "{why}");
        machines.host(2).power_cut().await;
        machines.host(2).power_on();
        let node = machines.start(2, machines.cluster(2, 3)).await.expect("the newer build does");
        assert_eq!(count(&node, "alice").await, 1);
    });
}

#[test]
fn a_member_that_is_gone_holds_nobody_up_once_it_is_removed() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let mut nodes = started(&machines).await;
        machines.host(2).power_cut().await;
        for number in [0, 1] {
            nodes[number].shutdown().await;
            machines.host(number).power_cut().await;
            machines.host(number).power_on();
        }
        // Neither is a majority alone.
        let start = |number| machines.start(number, machines.cluster(number, 3));
        let [first, second] = [start(0), start(1)];
        let (first, second) = tokio::join!(first, second);
        nodes[0] = first.expect("it starts");
        nodes[1] = second.expect("it starts");
        a_while().await;
        assert_eq!(active(&nodes[0]), 1, "the one that is gone knows no other");
        nodes[0].cluster().remove("node3").await.expect("it is taken out");
        let raised = || nodes[..2].iter().all(|node| active(node) == ENGINE_VERSION);
        machines.until("both decide by newer rules", raised).await;
        order(&nodes[1], "alice").await;
    });
}

/// What a node that has left had under way is settled, and what the others remember of it ends.
#[test]
fn the_session_of_a_node_that_left_is_closed() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        order(&nodes[2], "alice").await;
        nodes[0].cluster().remove(name(2)).await.expect("it is taken out");
        let sessions = |node: &Node| {
            let sessions = node.cluster().status().sessions;
            sessions.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(sessions(&nodes[0]), ["node1", "node2", "node3"]);
        let closed = || nodes[..2].iter().all(|node| sessions(node) == ["node1", "node2"]);
        machines.until("its session is closed", closed).await;
        order(&nodes[1], "alice").await;
        assert_eq!(count(&nodes[0], "alice").await, 2);
    });
}
