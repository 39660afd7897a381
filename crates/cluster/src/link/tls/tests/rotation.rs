use catga_core::NodeName;
use catga_host::{Host, timeout};
use catga_testkit::VirtualHost;

use super::super::{Credentials, Tls};
use super::authority::{Authority, CLUSTER, put_all, tls};
use crate::link::tests::{Net, Node, SECOND, ms, options};
use crate::{LinkState, Topic};

async fn node(net: &Net, id: u64, ca: &Authority) -> Node {
    node_by(net, id, ca, tls()).await
}

async fn node_by(net: &Net, id: u64, ca: &Authority, tls: Tls) -> Node {
    let (own, name) = (VirtualHost::new(id), format!("n{id}"));
    put_all(&*own.files(), &[ca], &ca.issue(&name)).await;
    let loaded = Credentials::load(own.clone(), tls, CLUSTER, &NodeName::new(name));
    Node::on(net, own, options(id).with_tls(loaded.expect("they fit together")))
}

/// Gives both nodes other files, and waits until they have taken them.
async fn rotate(nodes: [&Node; 2], cas: &[&Authority], ca: &Authority) {
    for (node, name) in nodes.into_iter().zip(["n1", "n2"]) {
        put_all(&*node.machine.own.files(), cas, &ca.issue(name)).await;
    }
    // The files are read within a second, and the links made anew within two more.
    nodes[0].machine.sleep(ms(3500)).await;
    for node in nodes {
        let certificate = node.links.credentials().expect("it has some").certificate();
        assert_eq!(certificate.reload_failure, None);
    }
}

#[tokio::test(start_paused = true)]
async fn cas_and_certificates_are_replaced_while_requests_go_on_and_none_is_lost() {
    let (net, old, new) = (Net::default(), Authority::new(), Authority::new());
    let (one, two) = (node(&net, 1, &old).await, node(&net, 2, &old).await);
    one.wait_until_up(&two).await;
    two.wait_until_up(&one).await;
    let asking = async {
        let mut asked = 0;
        loop {
            let calls = (0..8).map(|_| one.call(&two, Topic::Application, vec![1; 20 << 10]));
            for answer in futures_util::future::join_all(calls).await {
                answer.unwrap_or_else(|error| panic!("after {asked}: {error}"));
            }
            asked += 8;
            one.machine.sleep(ms(10)).await;
        }
    };
    let rotating = async {
        let nodes = [&one, &two];
        rotate(nodes, &[&old, &new], &old).await;
        rotate(nodes, &[&old, &new], &new).await;
        rotate(nodes, &[&new], &new).await;
    };
    tokio::select! {
        () = rotating => {}
        () = asking => {}
    }
    // Each of the three made the links anew, and nobody saw it.
    for node in [&one, &two] {
        let reconnects = node.links.stats()[0].reconnects;
        assert!(reconnects >= 3, "{reconnects}");
    }
    // An old identity is none any more.
    let stranger = node(&net, 3, &old).await;
    stranger.links.connect_to(std::slice::from_ref(&one.address));
    let refused = |state: &LinkState| matches!(state, LinkState::Refused(_));
    let state = stranger.wait_until(&one.address, refused).await;
    assert!(matches!(&state, LinkState::Refused(why) if why.contains("CA")), "{state:?}");
}

#[tokio::test(start_paused = true)]
async fn a_link_is_made_anew_when_it_is_old_and_requests_wait_for_it() {
    let (net, ca) = (Net::default(), Authority::new());
    let (one, two) = (node(&net, 1, &ca).await, node(&net, 2, &ca).await);
    one.wait_until_up(&two).await;
    let mut state = crate::Peers::link(&one.links, &two.address);
    state.mark_unchanged();
    let held = one.call_within(&two.address, Topic::Application, "hold", SECOND * 60);
    let held = tokio::spawn(held);
    one.machine.sleep(SECOND * 30).await;
    assert_eq!(one.links.stats()[0].reconnects, 0, "it waits for the answer");
    two.desk.gate.add_permits(1);
    assert_eq!(held.await.expect("no panic"), Ok("hold".into()));
    one.machine.sleep(SECOND * 2).await;
    assert_eq!(one.links.stats()[0].reconnects, 1);
    assert!(!state.has_changed().expect("it is kept"), "nobody saw it");
    let again = one.call(&two, Topic::Application, "x");
    assert_eq!(timeout(&*one.machine, ms(100), again).await, Ok(Ok("x".into())));
}

/// A node that keeps its links for ever keeps none that another one has accepted.
#[tokio::test(start_paused = true)]
async fn a_link_that_is_not_made_anew_is_ended_by_the_other_node() {
    let (net, ca) = (Net::default(), Authority::new());
    let keeps = tls().link_age_max(SECOND * 10_000);
    let (one, two) = (node(&net, 1, &ca).await, node_by(&net, 2, &ca, keeps).await);
    two.wait_until_up(&one).await;
    two.machine.sleep(SECOND * 39).await;
    assert_eq!(two.links.stats()[0].reconnects, 0);
    two.machine.sleep(SECOND * 2).await;
    assert_eq!(two.links.stats()[0].reconnects, 1);
}
