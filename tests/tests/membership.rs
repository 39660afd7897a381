//! Members that come and go while a cluster works: whole nodes on simulated machines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use catga::prelude::*;
use catga::{Cluster, MembershipError, NodeState, Outcome};
use catga_host::Host;
use catga_tests::machines::{Machines, endpoint, name};
use catga_tests::orders::{CreateOrder, count, order};
use futures_util::future::join_all;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The cluster of the first three, as a later one is told of it.
fn later(machines: &Machines, number: usize) -> Cluster {
    machines.cluster(number, 3).address(endpoint(number))
}

fn voters(node: &Node) -> Vec<String> {
    let members = node.cluster().status().members;
    let voters = members.into_iter().filter(|member| member.has_vote);
    voters.map(|member| member.name.to_string()).collect()
}

fn leader(nodes: &[Node]) -> usize {
    nodes.iter().position(|node| node.cluster().status().is_leader).expect("one leads")
}

#[test]
fn a_cluster_grows_from_three_to_five_and_shrinks_to_three_others() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 5);
        let mut nodes = machines.start_all(3).await;
        order(&nodes[0], "alice").await;
        for number in 3..5 {
            let node = machines.start(number, later(&machines, number)).await.expect("it joins");
            assert_eq!(node.cluster().status().state, NodeState::Learner);
            // Asked for at any node, such as one that does not lead.
            let asked = (leader(&nodes) + 1) % nodes.len();
            nodes[asked].cluster().promote(name(number)).await.expect("it gets a vote");
            nodes.push(node);
        }
        machines
            .until("all know five voters", || nodes.iter().all(|it| voters(it).len() == 5))
            .await;
        // Any two may fail now.
        let gone = [leader(&nodes), (leader(&nodes) + 1) % 5];
        for number in gone {
            machines.host(number).power_cut().await;
        }
        let rest = (0..5).find(|number| !gone.contains(number)).expect("three are left");
        order(&nodes[rest], "alice").await;
        for number in gone {
            machines.host(number).power_on();
            let cluster =
                if number < 3 { machines.cluster(number, 3) } else { later(&machines, number) };
            nodes[number] = machines.start(number, cluster).await.expect("it comes back");
        }
        // The first two go, though one of them may lead.
        for number in 0..2 {
            nodes[4].cluster().remove(name(number)).await.expect("it is taken out");
        }
        let left = ["node3", "node4", "node5"];
        machines.until("three are left", || nodes[2..].iter().all(|it| voters(it) == left)).await;
        order(&nodes[2], "alice").await;
        for node in &nodes[2..] {
            assert_eq!(count(node, "alice").await, 3);
        }
        for node in &nodes[..2] {
            let why = node.failed().await.to_string();
            assert!(why.contains("was removed from the cluster"), "{why}");
        }
        // Two of three are still a majority.
        machines.host(4).power_cut().await;
        order(&nodes[2], "alice").await;
        assert_eq!(count(&nodes[3], "alice").await, 4);
    });
}

#[test]
fn a_node_that_was_removed_while_it_was_down_is_told_so_when_it_starts() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        order(&nodes[0], "alice").await;
        machines.host(1).power_cut().await;
        nodes[0].cluster().remove("node2").await.expect("it is taken out");
        assert_eq!(voters(&nodes[0]), ["node1", "node3"]);
        machines.host(1).power_on();
        // It may begin before it hears that it is none of them, but it never gets anywhere.
        let began = tokio::time::Instant::now();
        let why = match machines.start(1, machines.cluster(1, 3)).await {
            Ok(node) => node.failed().await.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(why.contains("node2 was removed") && why.contains("empty directory"), "{why}");
        assert!(began.elapsed() < ms(20_000), "it ends when it hears so: {:?}", began.elapsed());
        assert_eq!(voters(&nodes[0]), ["node1", "node3"]);
        assert_eq!(count(&nodes[2], "alice").await, 1);
    });
}

/// It knows nobody but the one who led when it was removed.
#[test]
fn a_node_that_was_removed_hears_so_from_a_later_leader() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        nodes[0].cluster().lead("node1").await.expect("it leads");
        order(&nodes[2], "alice").await;
        nodes[0].cluster().remove("node3").await.expect("it is taken out");
        nodes[0].cluster().lead("node2").await.expect("it leads");
        order(&nodes[0], "alice").await;
        let told = tokio::time::timeout(ms(30_000), nodes[2].failed()).await;
        let why = told.expect("it hears of it").to_string();
        assert!(why.contains("node3 was removed"), "{why}");
    });
}

/// Counts who dials the port that the node on machine `number` had.
async fn dials(machines: &Machines, number: usize) -> Arc<AtomicUsize> {
    let host = machines.host(number);
    let listener = host.listen(([0, 0, 0, 0], 5001).into()).await.expect("the port is free");
    let dials = Arc::<AtomicUsize>::default();
    let counted = dials.clone();
    let count = async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    };
    drop(host.spawn("count", Box::pin(count)));
    dials
}

/// The first three, of which the fourth has taken the place of the first.
async fn first_replaced(machines: &Machines) -> Vec<Node> {
    let mut nodes = machines.start_all(3).await;
    order(&nodes[0], "alice").await;
    nodes.push(machines.start(3, later(machines, 3)).await.expect("it joins"));
    nodes[1].cluster().promote("node4").await.expect("it gets a vote");
    nodes[1].cluster().remove("node1").await.expect("it is taken out");
    machines.host(0).power_cut().await;
    machines.host(0).power_on();
    nodes
}

#[test]
fn a_first_member_that_was_removed_is_not_dialled_after_a_restart() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 4);
        let mut nodes = first_replaced(&machines).await;
        let left = ["node2", "node3", "node4"];
        machines.until("all know it", || nodes[1..].iter().all(|it| voters(it) == left)).await;
        let dials = dials(&machines, 0).await;
        // A founder, and one that has joined.
        for number in [1, 3] {
            machines.host(number).power_cut().await;
            machines.host(number).power_on();
            let cluster =
                if number < 3 { machines.cluster(number, 3) } else { later(&machines, number) };
            nodes[number] = machines.start(number, cluster).await.expect("it comes back");
            tokio::time::sleep(ms(20_000)).await;
            order(&nodes[number], "alice").await;
            assert_eq!(dials.load(Ordering::Relaxed), 0, "by node{}", number + 1);
        }
    });
}

/// Not only the first is gone: of those whom the last one knows nobody is left.
#[test]
fn a_node_that_was_removed_hears_so_from_members_that_it_was_told_of() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 6);
        let nodes = machines.start_all(3).await;
        order(&nodes[0], "alice").await;
        machines.host(2).power_cut().await;
        let mut joined = Vec::new();
        for number in 3..6 {
            let node = machines.start(number, later(&machines, number)).await.expect("it joins");
            node.cluster().promote(name(number)).await.expect("it gets a vote");
            joined.push(node);
        }
        for number in 0..3 {
            joined[0].cluster().remove(name(number)).await.expect("it is taken out");
        }
        for number in 0..2 {
            machines.host(number).power_cut().await;
        }
        machines.host(2).power_on();
        let now = Cluster::new("test", (3..6).map(endpoint)).name(name(2)).address(endpoint(2));
        let why = match machines.start(2, now.data_dir("/data").trust_network()).await {
            Ok(node) => {
                let told = tokio::time::timeout(ms(30_000), node.failed()).await;
                told.expect("it hears of it").to_string()
            }
            Err(error) => error.to_string(),
        };
        assert!(why.contains("node3 was removed"), "{why}");
    });
}

/// Three of which the first led, until nobody heard it any more but who may join; it does not know.
async fn first_deposed_unseen(machines: &Machines) -> Vec<Node> {
    let nodes = machines.start_all(3).await;
    nodes[0].cluster().lead("node1").await.expect("it leads");
    order(&nodes[0], "alice").await;
    for other in ["node2", "node3"] {
        machines.network.cut("node1", other);
        machines.network.cut(other, "node1");
    }
    let leads = |node: &Node| node.cluster().status().is_leader;
    machines.until("another leads", || nodes[1..].iter().any(leads)).await;
    assert!(leads(&nodes[0]));
    nodes
}

#[test]
fn a_leader_that_was_deposed_unseen_says_of_nobody_that_it_is_no_member() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 4);
        let mut nodes = first_deposed_unseen(&machines).await;
        machines.network.cut("node1", "node4");
        nodes.push(machines.start(3, later(&machines, 3)).await.expect("it joins"));
        order(&nodes[3], "alice").await;
        machines.network.heal("node1", "node4");
        // It asks all in turn what it is, the first too, which does not know it.
        let ended = tokio::time::timeout(ms(30_000), nodes[3].failed()).await;
        assert!(ended.is_err(), "{ended:?}");
        assert!(nodes[0].cluster().status().is_leader);
        let removed = nodes[0].cluster().remove("node4").await;
        let Err(MembershipError::Unfinished(fault)) = removed else { panic!("{removed:?}") };
        assert_eq!(fault.outcome(), Outcome::Unknown, "{fault}");
        machines.network.heal_all();
        nodes[3].cluster().remove("node4").await.expect("it is taken out");
    });
}

#[test]
fn whom_a_deposed_leader_let_in_is_let_in_by_the_next() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 4);
        let nodes = first_deposed_unseen(&machines).await;
        // It asks the first before the others.
        let last = machines.start(3, later(&machines, 3)).await.expect("it joins");
        order(&last, "alice").await;
        assert_eq!(count(&nodes[1], "alice").await, 2);
    });
}

#[test]
fn a_member_that_was_taken_out_gives_no_more_commands() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 4);
        let mut nodes = machines.start_all(3).await;
        nodes.push(machines.start(3, later(&machines, 3)).await.expect("it joins"));
        order(&nodes[3], "alice").await;
        nodes[0].cluster().remove("node4").await.expect("it is taken out");
        // It may not have heard of it yet.
        let placed = nodes[3].send(CreateOrder::for_customer("alice")).await;
        assert!(placed.is_err(), "{placed:?}");
        assert_eq!(count(&nodes[0], "alice").await, 1);
    });
}

#[test]
fn who_finds_nobody_to_join_gives_up_after_its_patience() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 4);
        let nodes = machines.start_all(3).await;
        let start = || machines.start(3, later(&machines, 3).founding_wait(ms(2_000)));
        let cut = async |pairs: &[(usize, usize)], said: &str| {
            for (one, other) in pairs {
                machines.network.cut(&name(*one), &name(*other));
                machines.network.cut(&name(*other), &name(*one));
            }
            let began = tokio::time::Instant::now();
            let why = start().await.map(drop).expect_err("nobody takes it in").to_string();
            assert!((ms(2_000)..ms(8_000)).contains(&began.elapsed()), "{:?}", began.elapsed());
            assert!(why.contains("2s") && why.contains(said), "{why}");
            machines.network.heal_all();
        };
        cut(&[(3, 0), (3, 1), (3, 2)], "node1:5001: it cannot be reached").await;
        cut(&[(0, 1), (1, 2), (2, 0)], "a quorum of it must run").await;
        // Nothing is left of it that would be in the way of the next start.
        let node = start().await.expect("it joins");
        order(&node, "alice").await;
        assert_eq!(count(&nodes[0], "alice").await, 1);
    });
}

#[test]
fn whom_the_leader_cannot_reach_gets_no_vote() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 2);
        let first = machines.start(0, machines.cluster(0, 1)).await.expect("it starts");
        let elsewhere = machines.cluster(1, 1).address("http://elsewhere:5001");
        // It is let in, and what it has to hold never comes. As long as a leader answers, no patience
        // ends.
        let elsewhere = elsewhere.founding_wait(ms(1_000));
        let second = tokio::time::timeout(ms(20_000), machines.start(1, elsewhere)).await;
        assert!(second.is_err(), "{second:?}");
        let promoted = first.cluster().promote("node2").await;
        assert!(matches!(promoted, Err(MembershipError::Unfinished(_))), "{promoted:?}");
        order(&first, "alice").await;
        first.cluster().remove("node2").await.expect("it is taken out");
    });
}

#[test]
fn who_says_that_it_is_where_another_member_is_gets_no_place() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 4);
        let nodes = machines.start_all(3).await;
        let stranger = machines.cluster(3, 3).address(endpoint(1));
        let stranger = stranger.listen(([0, 0, 0, 0], 5001).into());
        let why = machines.start(3, stranger).await.map(drop).expect_err("it is node2's");
        let why = why.to_string();
        assert!(why.contains("node2:5001 is the address of member node2"), "{why}");
        assert_eq!(voters(&nodes[0]), ["node1", "node2", "node3"]);
        let node = machines.start(3, later(&machines, 3)).await.expect("it joins");
        order(&node, "alice").await;
    });
}

#[test]
fn a_node_that_lost_its_disk_is_replaced_under_its_name() {
    for lost in 0..3 {
        catga_testkit::run(1, async |test| {
            let mut machines = Machines::new(&test, 1, 3);
            let mut nodes = machines.start_all(3).await;
            order(&nodes[lost], "alice").await;
            machines.wipe(lost).await;
            let other = (lost + 1) % 3;
            order(&nodes[other], "alice").await;
            // Nobody takes it for the one that it was.
            let refused = machines.start(lost, machines.cluster(lost, 3)).await;
            let why = refused.expect_err("it is not").to_string();
            assert!(why.contains("may not vote again"), "{why}");
            nodes[other].cluster().remove(name(lost)).await.expect("it is taken out");
            order(&nodes[other], "alice").await;
            machines.wipe(lost).await;
            let started = machines.start(lost, machines.cluster(lost, 3)).await;
            nodes[lost] = started.expect("it joins as a new node");
            assert_eq!(count(&nodes[lost], "alice").await, 3);
            let all = ["node1", "node2", "node3"];
            machines.until("it votes", || nodes.iter().all(|node| voters(node) == all)).await;
            // One of the two that were never lost may go now.
            machines.host(other).power_cut().await;
            order(&nodes[lost], "alice").await;
            assert_eq!(count(&nodes[(lost + 2) % 3], "alice").await, 4);
        });
    }
}

#[test]
fn leadership_goes_where_it_is_wanted() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 4);
        let nodes = machines.start_all(3).await;
        for number in [0, 1, 2, 2, 0] {
            nodes[1].cluster().lead(name(number)).await.expect("it leads");
            assert_eq!(leader(&nodes), number);
            order(&nodes[2], "alice").await;
        }
        let fourth = machines.start(3, later(&machines, 3)).await.expect("it joins");
        let why = fourth.cluster().lead("node4").await.expect_err("it has no vote").to_string();
        assert!(why.contains("node4 has no vote"), "{why}");
        fourth.cluster().remove("node4").await.expect("a learner goes as well");
        let why = fourth.failed().await.to_string();
        assert!(why.contains("node4 was removed"), "{why}");
    });
}

#[test]
fn what_would_harm_the_cluster_is_refused() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        let refused = nodes[0].cluster().remove("node9").await.expect_err("there is none");
        assert!(
            matches!(&refused, MembershipError::NoSuchMember { members, .. } if members.len() == 3)
        );
        assert!(refused.to_string().contains("node1, node2, node3"), "{refused}");
        machines.host(2).power_cut().await;
        machines
            .until("it is missed", || {
                let members = nodes[0].cluster().status().members;
                members.iter().any(|member| member.state == catga::MemberState::Unreachable)
            })
            .await;
        // Of the two that would be left one is dead.
        let why = nodes[0].cluster().remove("node2").await.expect_err("it is needed").to_string();
        assert!(why.contains("would not be a majority"), "{why}");
        nodes[0].cluster().remove("node3").await.expect("the dead one may go");
        let gone = nodes[0].cluster().remove("node3").await.expect_err("it is gone");
        assert!(matches!(gone, MembershipError::NoSuchMember { .. }), "{gone}");
        nodes[1].cluster().remove("node2").await.expect("one is a majority of one");
        let why = nodes[0].cluster().remove("node1").await.expect_err("it is the last").to_string();
        assert!(why.contains("only member with a vote"), "{why}");
        order(&nodes[0], "alice").await;
    });
}

/// However often the members change, and whoever fails meanwhile, one cluster keeps every order.
#[test]
fn members_change_while_nodes_fail_and_nothing_is_lost() {
    for seed in 1..=8 {
        catga_testkit::run(seed, async |test| {
            let mut machines = Machines::new(&test, seed, 4);
            let mut nodes = machines.start_all(3).await;
            let (mut placed, mut dice) = (0, fastrand::Rng::with_seed(seed));
            for _ in 0..6 {
                let out = dice.usize(..3);
                let by = (out + 1 + dice.usize(..2)) % 3;
                // Its power goes while it is taken out, sometimes before.
                let remove = async {
                    let cluster = nodes[by].cluster();
                    cluster.remove(name(out)).await.expect("it is taken out");
                };
                let fail = async {
                    tokio::time::sleep(ms(dice.u64(..60))).await;
                    machines.host(out).power_cut().await;
                };
                let write = async {
                    for _ in 0..5 {
                        order(&nodes[by], "alice").await;
                    }
                };
                tokio::join!(remove, fail, write);
                placed += 5;
                machines.wipe(out).await;
                let back = machines.start(out, machines.cluster(out, 3)).await;
                nodes[out] = back.expect("it joins as a new node");
                machines.until("it votes", || voters(&nodes[out]).len() == 3).await;
                let counts = join_all(nodes.iter().map(|node| count(node, "alice"))).await;
                assert_eq!(counts, [placed; 3], "seed {seed}");
            }
            let hashes: Vec<_> = nodes.iter().map(Node::rolling_hash).collect();
            assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
        });
    }
}
