//! How a cluster begins, grows and is refused: whole nodes on simulated machines.

use std::time::Duration;

use catga::prelude::*;
use catga::{ClusterStatus, ENGINE_VERSION, MemberState, NodeState, StartError};
use catga_testkit::VirtualHost;
use catga_tests::machines::{Machines, endpoint, name};
use catga_tests::orders::{CreateOrder, count, order};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn refusal(started: Result<Node, StartError>) -> String {
    started.expect_err("it does not start").to_string()
}

fn leaders(statuses: &[ClusterStatus]) -> usize {
    statuses.iter().filter(|status| status.is_leader).count()
}

#[test]
fn three_new_nodes_become_one_cluster_and_each_takes_commands() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        for node in &nodes {
            order(node, "alice").await;
        }
        for node in &nodes {
            assert_eq!(count(node, "alice").await, 3);
        }
        let statuses: Vec<_> = nodes.iter().map(|node| node.cluster().status()).collect();
        assert_eq!(leaders(&statuses), 1);
        for status in &statuses {
            let names: Vec<_> = status.members.iter().map(|member| member.name.as_str()).collect();
            assert_eq!(names, ["node1", "node2", "node3"]);
            let endpoints = status.members.iter().map(|member| member.endpoint.clone());
            let expected = (0..3).map(|number| Some(endpoint(number)));
            assert!(endpoints.eq(expected), "{status:?}");
            assert!(status.members.iter().all(|member| member.state == MemberState::Available));
            assert!(matches!(status.state, NodeState::Leader | NodeState::Follower));
            assert_eq!(status.leader, statuses[0].leader);
        }
        let hashes: Vec<_> = nodes.iter().map(Node::rolling_hash).collect();
        assert!(
            hashes.iter().all(|hash| *hash == hashes[0]),
            "one life of the journal: {hashes:?}"
        );
    });
}

/// However the founding is cut short, what comes of it is one cluster.
#[test]
fn a_founding_that_loses_its_power_goes_on_where_it_was() {
    for seed in 1..=40 {
        catga_testkit::run(seed, async |test| {
            let machines = Machines::new(&test, seed, 3);
            let mut dice = chances(seed);
            for _ in 0..4 {
                let start = |number| machines.start(number, machines.cluster(number, 3));
                let all = futures_util::future::join_all((0..3).map(start));
                // Mostly before it is founded, sometimes after.
                let _ = tokio::time::timeout(ms(dice() % 300), all).await;
                for number in 0..3 {
                    if (dice() % 100) < 70 {
                        machines.host(number).power_cut().await;
                    } else {
                        machines.host(number).crash().await;
                    }
                }
            }
            let nodes = machines.start_all(3).await;
            order(&nodes[0], "alice").await;
            for node in &nodes {
                assert_eq!(count(node, "alice").await, 1);
            }
            let hashes: Vec<_> = nodes.iter().map(Node::rolling_hash).collect();
            assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
        });
    }
}

/// A sequence of numbers that looks like chance and follows from `seed`.
fn chances(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 8
    }
}

#[test]
fn a_founded_cluster_starts_again_without_one_of_its_members() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        order(&nodes[1], "alice").await;
        drop(nodes);
        for number in 0..3 {
            machines.host(number).power_cut().await;
        }
        // The one with the lowest name made the cluster, and is the one that is missing.
        let start = |number| machines.start(number, machines.cluster(number, 3));
        let (two, three) = tokio::join!(start(1), start(2));
        let (two, three) = (two.expect("it starts"), three.expect("it starts"));
        order(&two, "alice").await;
        assert_eq!(count(&three, "alice").await, 2);
        let one = start(0).await.expect("it comes back");
        assert_eq!(count(&one, "alice").await, 2);
    });
}

#[test]
fn a_process_alone_grows_to_three_nodes_and_keeps_its_data() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let alone = machines.start_alone(0).await.expect("a process of its own");
        order(&alone, "alice").await;
        alone.shutdown().await;
        drop(alone);
        machines.host(0).crash().await;
        let first = machines.start(0, machines.cluster(0, 3)).await.expect("it starts as a node");
        order(&first, "alice").await;
        let mut nodes = vec![first];
        for number in 1..3 {
            let node = machines.start(number, machines.cluster(number, 3)).await;
            nodes.push(node.expect("it joins"));
        }
        for node in &nodes {
            assert_eq!(count(node, "alice").await, 2);
        }
        for node in &nodes {
            let state = node.cluster().status().state;
            assert!(matches!(state, NodeState::Leader | NodeState::Follower), "{state}");
        }
        // It does not need the first any more.
        drop(nodes.remove(0));
        machines.host(0).power_cut().await;
        order(&nodes[0], "alice").await;
        assert_eq!(count(&nodes[1], "alice").await, 3);
        // And as a process of its own that one would tell another story.
        machines.host(0).power_on();
        let why = refusal(machines.start_alone(0).await);
        assert!(why.contains("cluster"), "{why}");
    });
}

/// Where each was said to be, another one is now, or nobody.
#[test]
fn a_cluster_whose_nodes_have_all_moved_finds_itself() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        order(&nodes[0], "alice").await;
        drop(nodes);
        for number in 0..3 {
            machines.host(number).power_cut().await;
        }
        let moved = |number: usize| format!("http://{}:{}", name(number), 6001 + number);
        let start = |number| {
            let cluster = catga::Cluster::new("test", (0..3).map(moved)).name(name(number));
            machines.start(number, cluster.data_dir("/data").trust_network())
        };
        let started = futures_util::future::join_all((0..3).map(start)).await;
        let nodes: Vec<_> = started.into_iter().map(|node| node.expect("it starts")).collect();
        for node in &nodes {
            order(node, "alice").await;
        }
        let is_known = |node: &Node| {
            let members = node.cluster().status().members;
            members.into_iter().map(|member| member.endpoint).eq((0..3).map(|it| Some(moved(it))))
        };
        machines.until("all know where all are", || nodes.iter().all(is_known)).await;
        for node in &nodes {
            assert_eq!(count(node, "alice").await, 4);
        }
    });
}

#[test]
fn a_node_whose_address_is_no_member_follows_without_a_vote() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 4);
        let nodes = machines.start_all(3).await;
        order(&nodes[0], "alice").await;
        let cluster = machines.cluster(3, 3).address(endpoint(3));
        let fourth = machines.start(3, cluster).await.expect("it joins");
        assert_eq!(count(&fourth, "alice").await, 1);
        assert_eq!(fourth.cluster().status().state, NodeState::Learner);
        order(&fourth, "alice").await;
        assert_eq!(count(&nodes[2], "alice").await, 2);
    });
}

#[test]
fn a_voter_that_lost_its_data_is_refused_under_its_name() {
    catga_testkit::run(1, async |test| {
        let mut machines = Machines::new(&test, 1, 4);
        let nodes = machines.start_all(3).await;
        order(&nodes[0], "alice").await;
        drop(nodes);
        machines.wipe(2).await;
        for number in 0..2 {
            machines.host(number).power_cut().await;
        }
        let start = |number| machines.start(number, machines.cluster(number, 3));
        let (one, two) = tokio::join!(start(0), start(1));
        let (one, _two) = (one.expect("a quorum starts"), two.expect("a quorum starts"));
        let why = refusal(start(2).await);
        assert!(why.contains("node3") && why.contains("may not vote again"), "{why}");
        assert_eq!(count(&one, "alice").await, 1);
    });
}

#[test]
fn a_node_that_starts_waits_for_a_leader_whose_disk_is_full() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        // A disk that is full shows when the next segment is to be made.
        let data = || catga::DataDir::new("/data").segment_bytes(4096);
        let cluster = |number| machines.cluster(number, 3).data_dir(data());
        let start = |number| machines.start(number, cluster(number));
        let started = futures_util::future::join_all((0..3).map(start)).await;
        let mut nodes: Vec<_> = started.into_iter().map(|node| node.expect("starts")).collect();
        order(&nodes[0], "alice").await;
        let leads = |node: &Node| node.cluster().status().is_leader;
        let leader = nodes.iter().position(leads).expect("one leads");
        let other = (leader + 1) % 3;
        drop(nodes.remove(other));
        machines.host(other).crash().await;
        let disk = machines.host(leader).disk();
        disk.set_capacity(disk.used_bytes());
        // Until the log has used up what it had reserved.
        let third = nodes.iter().find(|node| !leads(node)).expect("one follows").clone();
        let mut placed = 0;
        while third.send(CreateOrder::for_customer("bob")).await.is_ok() {
            placed += 1;
        }
        let room = async {
            machines.host(other).advance(ms(2_000)).await;
            disk.set_capacity(u64::MAX >> 16);
        };
        let (started, ()) = tokio::join!(start(other), room);
        let started = started.expect("it waits until there is room");
        assert_eq!(count(&started, "bob").await, placed);
    });
}

/// Starts node 1 and 2 of three with clusters that do not fit; what each says of it.
async fn disagreeing(
    test: &VirtualHost,
    change: impl Fn(usize, &Machines) -> catga::Cluster,
) -> [String; 2] {
    let machines = Machines::new(test, 1, 3);
    let start =
        |number| machines.start(number, change(number, &machines).founding_wait(ms(20_000)));
    let (one, two) = tokio::join!(start(0), start(1));
    [refusal(one), refusal(two)]
}

#[test]
fn members_that_do_not_fit_say_what_is_wrong_and_what_to_do() {
    catga_testkit::run(1, async |test| {
        let members = |number: usize| (0..3 - number).map(endpoint);
        let said = disagreeing(&test, |number, _| {
            catga::Cluster::new("test", members(number))
                .name(name(number))
                .data_dir("/data")
                .trust_network()
        });
        for said in said.await {
            assert!(said.contains("give every node the same"), "{said}");
        }
        let said = disagreeing(&test, |number, machines| {
            let cluster = machines.cluster(number, 3);
            if number == 0 { cluster.secret("a secret of 16 bytes") } else { cluster }
        });
        for said in said.await {
            assert!(said.contains("secret"), "{said}");
        }
        let said = disagreeing(&test, |number, machines| {
            let cluster = machines.cluster(number, 3);
            let secret = if number == 0 { "a secret of 16 bytes" } else { "another of 16 bytes" };
            cluster.secret(secret)
        });
        for said in said.await {
            assert!(said.contains("secret"), "{said}");
        }
        let said = disagreeing(&test, |number, _| {
            catga::Cluster::new(format!("test{number}"), (0..3).map(endpoint))
                .name(name(number))
                .data_dir("/data")
                .trust_network()
        });
        for said in said.await {
            assert!(said.contains("not of this cluster"), "{said}");
        }
        let said = disagreeing(&test, |number, machines| {
            machines.cluster(number, 3).name("twin").address(endpoint(number))
        });
        for said in said.await {
            assert!(said.contains("twin"), "{said}");
        }
        // The third never comes.
        let said = disagreeing(&test, |number, machines| machines.cluster(number, 3));
        for said in said.await {
            assert!(said.contains("node3:5001: it cannot be reached"), "{said}");
        }
    });
}

#[test]
fn options_that_do_not_fit_are_told_at_once() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 1);
        let cluster = catga::Cluster::new(" ", ["http://node1", "node9:5001", "node9:5001"])
            .data_dir("/data")
            .secret("short")
            .heartbeat_interval(ms(400))
            .engine_version_max(ENGINE_VERSION + 1);
        let why = refusal(machines.start(0, cluster).await);
        for wrong in [
            "cluster id",
            "http://node1",
            "twice",
            "16 bytes",
            "heartbeat_interval",
            "engine_version_max",
        ] {
            assert!(why.contains(wrong), "{wrong}: {why}");
        }
        let open = catga::Cluster::new("c", [endpoint(0)]).name(name(0)).data_dir("/data");
        let why = refusal(machines.start(0, open).await);
        assert!(why.contains("CLUSTER_SECRET"), "{why}");
        let nobody = catga::Cluster::new("c", [endpoint(1), endpoint(2)]).data_dir("/data");
        let why = refusal(machines.start(0, nobody.trust_network()).await);
        assert!(why.contains("none of them is this node's"), "{why}");
    });
}
