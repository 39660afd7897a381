//! Nodes of a cluster whose disks have no room: whole nodes on simulated machines.

use std::time::Duration;

use catga::prelude::*;
use catga::{DataDir, FaultCode, Outcome};
use catga_tests::machines::Machines;
use catga_tests::orders::{CreateOrder, count, order};
use futures_util::FutureExt;

const DATA: &str = "/data";

/// Two nodes and more whose log has a new segment every few orders.
async fn started(machines: &Machines) -> Vec<Node> {
    let start = |number| {
        let small = DataDir::new(DATA).segment_bytes(8192).checkpoint_bytes(16 << 10);
        machines.start(number, machines.cluster(number, 3).data_dir(small))
    };
    let nodes = futures_util::future::join_all((0..3).map(start)).await;
    nodes.into_iter().map(|node| node.expect("it starts")).collect()
}

fn fill(machines: &Machines, number: usize) {
    let disk = machines.host(number).disk();
    disk.set_capacity(disk.used_bytes());
}

fn free(machines: &Machines, number: usize) {
    machines.host(number).disk().set_capacity(1 << 30);
}

fn expect_running(nodes: &[Node]) {
    for node in nodes {
        let failed = node.failed().now_or_never();
        assert!(failed.is_none(), "{} ended: {}", node.name(), failed.expect("it did"));
    }
}

fn roles(nodes: &[Node]) -> (usize, [usize; 2]) {
    let leader = nodes.iter().position(|it| it.cluster().status().is_leader).expect("one leads");
    (leader, [(leader + 1) % 3, (leader + 2) % 3])
}

#[test]
fn a_follower_without_room_waits_for_it_and_the_others_go_on() {
    for seed in 1..=3 {
        catga_testkit::run(seed, async |test| {
            let machines = Machines::new(&test, seed, 3);
            let nodes = started(&machines).await;
            let (leader, [full, _]) = roles(&nodes);
            fill(&machines, full);
            for _ in 0..200 {
                order(&nodes[leader], "alice").await;
            }
            expect_running(&nodes);
            let health = nodes[full].health();
            assert!(health.degraded.iter().any(|why| why.contains("no room")), "{health:?}");
            free(&machines, full);
            assert_eq!(count(&nodes[full], "alice").await, 200);
            // It is needed now.
            machines.host((full + 1) % 3).power_cut().await;
            order(&nodes[full], "alice").await;
            assert_eq!(count(&nodes[full], "alice").await, 201);
        });
    }
}

#[test]
fn a_majority_without_room_refuses_commands_until_one_of_them_has() {
    for seed in 1..=3 {
        catga_testkit::run(seed, async |test| {
            let machines = Machines::new(&test, seed, 3);
            let nodes = started(&machines).await;
            let (leader, followers) = roles(&nodes);
            order(&nodes[leader], "alice").await;
            followers.into_iter().for_each(|full| fill(&machines, full));
            let (mut placed, mut unknown) = (1, 0);
            let refused = loop {
                match nodes[leader].send(CreateOrder::for_customer("alice")).await {
                    Ok(_) => placed += 1,
                    Err(failure) => match failure.fault().expect("a fault").clone() {
                        fault if fault.outcome() == Outcome::Unknown => unknown += 1,
                        fault => break fault,
                    },
                }
                assert!(placed + unknown < 300, "full disks take no more than what was reserved");
            };
            assert_eq!(refused.code(), FaultCode::StorageFull, "{refused}");
            assert_eq!(refused.outcome(), Outcome::NotExecuted);
            assert!(refused.to_string().contains("a majority of the nodes"), "{refused}");
            // Whoever had no answer may have been on the way when the first was refused.
            assert!(unknown <= 2, "{unknown} orders of unknown outcome");
            expect_running(&nodes);
            let health = nodes[leader].health();
            assert!(health.ready && health.degraded[0].contains("a majority"), "{health:?}");
            free(&machines, followers[0]);
            machines
                .until("commands are taken", || nodes[leader].health().degraded.is_empty())
                .await;
            for _ in 0..20 {
                order(&nodes[leader], "alice").await;
            }
            free(&machines, followers[1]);
            expect_running(&nodes);
            let all = count(&nodes[leader], "alice").await;
            assert!((placed + 20..=placed + 20 + unknown).contains(&all), "{all} orders");
            for node in &nodes {
                assert_eq!(count(node, "alice").await, all);
            }
        });
    }
}

#[test]
fn a_leader_without_room_has_one_lead_that_has_it() {
    for seed in 1..=3 {
        catga_testkit::run(seed, async |test| {
            let machines = Machines::new(&test, seed, 3);
            let nodes = started(&machines).await;
            let (leader, [other, _]) = roles(&nodes);
            fill(&machines, leader);
            let mut placed = 0;
            while nodes[other].send(CreateOrder::for_customer("alice")).await.is_ok() {
                placed += 1;
            }
            machines.until("another leads", || !nodes[leader].cluster().status().is_leader).await;
            for node in &nodes {
                order(node, "alice").await;
            }
            expect_running(&nodes);
            assert_eq!(count(&nodes[other], "alice").await, placed + 3);
            free(&machines, leader);
            assert_eq!(count(&nodes[leader], "alice").await, placed + 3);
        });
    }
}

#[test]
fn nobody_takes_turns_where_nobody_has_room() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = started(&machines).await;
        (0..3).for_each(|number| fill(&machines, number));
        while nodes[0].send(CreateOrder::for_customer("alice")).await.is_ok() {}
        tokio::time::sleep(Duration::from_secs(10)).await;
        let term = nodes[0].cluster().status().term;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(nodes[0].cluster().status().term, term);
        expect_running(&nodes);
        (0..3).for_each(|number| free(&machines, number));
        let has_room = || nodes.iter().all(|node| node.health().degraded.is_empty());
        machines.until("there is room", has_room).await;
        order(&nodes[1], "alice").await;
    });
}

#[test]
fn a_node_without_room_ends_when_it_is_told_to() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let mut nodes = started(&machines).await;
        let (leader, [full, _]) = roles(&nodes);
        fill(&machines, full);
        for _ in 0..100 {
            order(&nodes[leader], "alice").await;
        }
        let node = nodes.remove(full);
        let ended = tokio::time::timeout(Duration::from_secs(20), node.shutdown()).await;
        ended.expect("it does not wait for room");
    });
}
