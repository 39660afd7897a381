//! Nodes that get their certificates by tokens: whole nodes on simulated machines.

#![cfg(feature = "enrolment")]

use std::cell::Cell;
use std::time::Duration;

use catga::enrolment::{
    CreateJoinToken, Enrolment, EnrolmentError, GetJoinToken, IssueCertificate, IssuedCertificate,
    JoinRequest, JoinToken, NodeCertificate,
};
use catga::prelude::*;
use catga::{Cluster, StartError};
use catga_testkit::VirtualHost;
use catga_tests::authority::{Authority, path, put, tls};
use catga_tests::machines::{Machines, endpoint, name};
use catga_tests::orders::{Orders, count, order};
use futures_util::future::{join, join_all};

const HOUR: Duration = Duration::from_secs(3600);

/// The cluster, as certificates call it.
const CLUSTER: &str = "test";

/// Starts the node on machine `number`, which lets new ones in; it signs if it has the key.
async fn start(machines: &Machines, number: usize, cluster: Cluster) -> Result<Node, StartError> {
    let enrolment = move |n: &mut catga::Wiring| {
        let enrolment = Enrolment::new(n, CLUSTER).ca(path("ca.pem"));
        // The first has no key.
        if number == 0 { enrolment } else { enrolment.ca_key(path("ca.key")) }
    };
    let builder = Catga::builder().host(machines.host(number).clone());
    let builder = builder.service(|n| Orders { book: n.projection() }).service(enrolment);
    builder.cluster(cluster.tls(tls())).start().await
}

/// Three nodes of a cluster, of five machines.
async fn start_all(test: &VirtualHost, seed: u64, ca: &Authority) -> (Machines, Vec<Node>) {
    let machines = Machines::new(test, seed, 5);
    for number in 0..3 {
        ca.install(machines.host(number), number, &[ca]).await;
        put(machines.host(number), "ca.key", &ca.key_pem()).await;
    }
    let start = |number| start(&machines, number, machines.cluster(number, 3));
    let nodes = join_all((0..3).map(start)).await;
    let nodes = nodes.into_iter().map(|node| node.expect("a node starts")).collect();
    (machines, nodes)
}

fn leader(nodes: &[Node]) -> usize {
    nodes.iter().position(|node| node.cluster().status().is_leader).expect("one leads")
}

/// A token for a node that is to trust `ca`.
fn token_of(ca: &Authority) -> JoinToken {
    JoinToken::make(ca.pem().as_bytes()).expect("a token")
}

/// Puts what a node was given on its machine.
async fn install(host: &VirtualHost, given: &NodeCertificate) {
    put(host, "ca.pem", &given.ca_pem).await;
    put(host, "node.pem", &given.certificate_pem).await;
    put(host, "node.key", &given.key_pem).await;
}

async fn create(node: &Node, token: &JoinToken, name: &str) {
    node.send(token.creation(name, HOUR)).await.expect("it is made known");
}

fn request(token: &JoinToken, name: &str) -> JoinRequest {
    token.request(CLUSTER, name).expect("a request")
}

async fn issue(
    node: &Node,
    request: &IssueCertificate,
) -> Result<IssuedCertificate, EnrolmentError> {
    node.send(request.clone()).await.map_err(|failure| match failure {
        Failure::Domain(refusal) => refusal,
        Failure::Fault(fault) => panic!("{fault}"),
    })
}

#[test]
fn a_node_joins_by_a_token_and_nobody_else_does() {
    catga_testkit::run(1, async |test| {
        let ca = Authority::default();
        let (machines, mut nodes) = start_all(&test, 1, &ca).await;
        let token = token_of(&ca);
        create(&nodes[0], &token, "node4").await;
        let asked = request(&token, "node4");

        // Nothing is used up by a node that cannot sign.
        let cannot = issue(&nodes[0], asked.command()).await.expect_err("it has no key");
        assert!(cannot.to_string().contains("CLUSTER_TLS_CA_KEY is not set"), "{cannot}");

        let issued = issue(&nodes[1], asked.command()).await.expect("it is signed");
        let given = asked.accept_issued(&issued).expect("it is its own");
        install(machines.host(3), &given).await;
        let cluster = machines.cluster(3, 3).address(endpoint(3));
        nodes.push(start(&machines, 3, cluster).await.expect("it joins"));
        nodes[0].cluster().promote(name(3)).await.expect("it gets a vote");
        order(&nodes[3], "alice").await;
        assert_eq!(count(&nodes[0], "alice").await, 1);

        // Another key hears no at every node, whoever leads; the same one is answered again.
        let another = request(&token, "node4");
        for node in &nodes[1..3] {
            let refused = issue(node, another.command()).await;
            assert_eq!(refused, Err(EnrolmentError::Used));
        }
        let leads = leader(&nodes);
        machines.host(leads).power_cut().await;
        let asks = if leads == 2 { 1 } else { 2 };
        let again = issue(&nodes[asks], asked.command()).await.expect("it is answered again");
        asked.accept_issued(&again).expect("it is its own");
        let refused = issue(&nodes[asks], another.command()).await;
        assert_eq!(refused, Err(EnrolmentError::Used));

        // The time of the node that is asked counts.
        machines.host(asks).step_wall(HOUR);
        let late = issue(&nodes[asks], asked.command()).await;
        assert!(matches!(late, Err(EnrolmentError::Expired(_))), "{late:?}");
        // It is forgotten with the next that is made, a week later.
        machines.host(asks).step_wall(HOUR * 24 * 7);
        create(&nodes[asks], &token_of(&ca), "node5").await;
        let late = issue(&nodes[asks], asked.command()).await;
        assert_eq!(late, Err(EnrolmentError::Unknown));
    });
}

#[test]
fn each_reason_to_refuse_is_told_and_leaves_nothing_in_the_journal() {
    catga_testkit::run(1, async |test| {
        let ca = Authority::default();
        let (_machines, nodes) = start_all(&test, 1, &ca).await;
        let (node, token) = (&nodes[1], token_of(&ca));
        create(node, &token, "node4").await;
        let asked = request(&token, "node4");
        let good = asked.command().clone();
        let before = node.position();
        let refused = async |request: IssueCertificate| {
            issue(node, &request).await.expect_err("it is refused")
        };

        let nobodys = request(&token_of(&ca), "node4").command().clone();
        assert_eq!(refused(nobodys).await, EnrolmentError::Unknown);
        let other = request(&token, "node5").command().clone();
        assert_eq!(refused(other.clone()).await, EnrolmentError::OtherName("node4".to_owned()));
        let elsewhere = token.request("another", "node4").expect("a request").command().clone();
        assert_eq!(refused(elsewhere).await, EnrolmentError::NotSigned);
        for tampered in [
            IssueCertificate { name: "node5".to_owned(), ..good.clone() },
            IssueCertificate { node_key: other.node_key, ..good.clone() },
            IssueCertificate { signature: other.signature, ..good.clone() },
            IssueCertificate { token: other.node_key, ..good.clone() },
        ] {
            assert_eq!(refused(tampered).await, EnrolmentError::NotSigned);
        }
        assert_eq!(node.position(), before);

        // Who is a member gets another certificate by a token that renews, and by no other.
        let member = node.send(token_of(&ca).creation("node1", HOUR)).await;
        let is_member = EnrolmentError::Member("node1".to_owned());
        assert_eq!(member, Err(Failure::Domain(is_member)));
        let renewal = token_of(&ca);
        let creation = CreateJoinToken { renews: true, ..renewal.creation("node1", HOUR) };
        node.send(creation.clone()).await.expect("it is made known");
        let renewed = request(&renewal, "node1");
        let issued = issue(node, renewed.command()).await.expect("it is signed");
        renewed.accept_issued(&issued).expect("it is its own");

        // Made known twice it is the same; it cannot become another.
        node.send(creation.clone()).await.expect("it is known");
        let other = CreateJoinToken { renews: false, name: "node9".to_owned(), ..creation };
        let exists = node.send(other).await;
        assert_eq!(exists, Err(Failure::Domain(EnrolmentError::Exists)));
    });
}

#[test]
fn a_token_of_a_name_that_is_a_member_meanwhile_is_refused() {
    catga_testkit::run(1, async |test| {
        let ca = Authority::default();
        let (machines, nodes) = start_all(&test, 1, &ca).await;
        let tokens = [token_of(&ca), token_of(&ca)];
        for token in &tokens {
            create(&nodes[1], token, "node4").await;
        }
        let asked = request(&tokens[0], "node4");
        let issued = issue(&nodes[1], asked.command()).await.expect("it is signed");
        let given = asked.accept_issued(&issued).expect("it is its own");
        install(machines.host(3), &given).await;
        let cluster = machines.cluster(3, 3).address(endpoint(3));
        let _joined = start(&machines, 3, cluster).await.expect("it joins");
        let second = issue(&nodes[2], request(&tokens[1], "node4").command()).await;
        assert_eq!(second, Err(EnrolmentError::Member("node4".to_owned())));
    });
}

/// Asks node after node until one says yes or no.
async fn insist(nodes: &[Node], first: usize, request: &JoinRequest) -> bool {
    for node in nodes.iter().cycle().skip(first) {
        match node.send(request.command().clone()).await {
            Ok(issued) => {
                request.accept_issued(&issued).expect("it is its own");
                return true;
            }
            Err(Failure::Domain(EnrolmentError::Used)) => return false,
            Err(Failure::Domain(EnrolmentError::NoAuthority(_)) | Failure::Fault(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("it asks without an end")
}

#[test]
fn of_two_with_one_token_one_gets_in_though_the_leader_dies() {
    for seed in 1..=8 {
        catga_testkit::run(seed, async |test| {
            let ca = Authority::default();
            let (machines, nodes) = start_all(&test, seed, &ca).await;
            let token = token_of(&ca);
            create(&nodes[1], &token, "node4").await;
            let (one, other) = (request(&token, "node4"), request(&token, "node4"));
            let leads = leader(&nodes);
            let rest: Vec<_> = (0..3).filter(|number| *number != leads).collect();
            let rest: Vec<_> = rest.into_iter().map(|number| nodes[number].clone()).collect();
            let dies = async {
                // An answer takes about 14 ms.
                tokio::time::sleep(Duration::from_millis(2 * (seed - 1))).await;
                machines.host(leads).power_cut().await;
            };
            let asking = join(insist(&rest, 0, &one), insist(&rest, 1, &other));
            let ((one_is_in, other_is_in), ()) = join(asking, dies).await;
            assert_ne!(one_is_in, other_is_in, "seed {seed}");
            // And it stays so.
            let winner = if one_is_in { &one } else { &other };
            assert!(insist(&rest, 0, winner).await, "seed {seed}");
        });
    }
}

#[test]
fn an_answer_that_died_with_its_node_is_heard_at_another_by_the_same_key() {
    let lost = Cell::new(0);
    for seed in 7..=14 {
        catga_testkit::run(seed, async |test| {
            let ca = Authority::default();
            let (machines, nodes) = start_all(&test, seed, &ca).await;
            let token = token_of(&ca);
            create(&nodes[1], &token, "node4").await;
            let (one, other) = (request(&token, "node4"), request(&token, "node4"));
            let asked = nodes[2].send(one.command().clone());
            // Before it was recorded, or afterwards: that takes about 9 ms.
            let is_answered = tokio::select! {
                biased;
                _ = asked => true,
                () = tokio::time::sleep(Duration::from_millis(seed - 1)) => false,
            };
            machines.host(2).power_cut().await;
            let known = nodes[1].ask(GetJoinToken { token: token.public_key() }).await;
            let is_recorded = known.expect("it is known").used_for.is_some();
            lost.update(|lost| lost + usize::from(is_recorded && !is_answered));
            // The first signs nothing here, so the second must.
            assert!(insist(&nodes[..2], 0, &one).await, "seed {seed}");
            assert!(!insist(&nodes[..2], 1, &other).await, "seed {seed}");
        });
    }
    assert!(lost.get() > 0, "no answer was lost after it had counted");
}
