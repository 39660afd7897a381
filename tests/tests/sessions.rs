//! The session of a node is opened again when that of an earlier start takes its place.

use std::sync::Arc;
use std::time::Duration;

use catga::prelude::*;
use catga::{Failure, FaultCode, Limits};
use catga_core::{AttemptId, MessageId, SessionId};
use catga_engine::{Directive, ENGINE_VERSION, Effect, Entry};
use catga_host::Host;
use catga_testkit::VirtualHost;
use catga_tests::orders::{CountOrders, CreateOrder, OrderCreated, OrderId, Orders};
use catga_tests::shared_cluster::{NAMES, SharedCluster};

async fn start(host: &Arc<VirtualHost>) -> (SharedCluster, [Node; 3]) {
    let cluster = SharedCluster::new(host);
    let nodes = cluster.start(async |name, backend| {
        let builder = Catga::builder().name(name).host(host.clone()).limits(Limits::default());
        let builder = builder.backend(backend).service(|n| Orders { book: n.projection() });
        builder.start().await.expect("a node of a cluster starts")
    });
    let nodes = nodes.await;
    (cluster, nodes)
}

/// What a start of `node` put on its way that died before it heard of it.
fn late_opening(node: usize, nonce: u64) -> Entry {
    let id = MessageId::new(SessionId::default(), nonce);
    let mut effect = Effect::new(id, AttemptId { message: id, term: 0, sequence: 0 });
    effect.directive = Some(Directive::OpenSession { node: NAMES[node].to_owned(), nonce });
    Entry { engine: ENGINE_VERSION, effects: vec![effect], ..Entry::default() }
}

fn is_expired<R>(answer: &Answer<R, impl Sized>) -> bool {
    matches!(answer, Err(Failure::Fault(fault)) if fault.code() == FaultCode::Expired)
}

#[test]
fn a_node_goes_on_after_the_opening_of_a_dead_start_is_committed_late() {
    catga_testkit::run(1, async |host| {
        let (cluster, nodes) = start(&host).await;
        for (node, nonce) in [(0, 77), (1, 78), (1, 79)] {
            let order = CreateOrder::for_customer("ada");
            nodes[node].send(order.clone()).await.expect("created");
            cluster.log.commit(late_opening(node, nonce).encode());
            let answer = nodes[node].send(order.clone()).await;
            assert!(is_expired(&answer), "its session is closed, and it cannot know: {answer:?}");
            host.sleep(Duration::from_millis(1)).await;
            nodes[node].send(order).await.expect("created in another session");
        }
        let counted = nodes[2].ask(CountOrders { customer: "ada".to_owned() });
        assert_eq!(counted.level(catga::ReadLevel::Linearizable).await, Ok(6));
    });
}

#[test]
fn an_event_that_hears_of_the_closed_session_has_it_opened_again() {
    catga_testkit::run(2, async |host| {
        let (cluster, nodes) = start(&host).await;
        cluster.log.commit(late_opening(1, 77).encode());
        let event =
            || OrderCreated { id: OrderId::from(Uuid::from_u128(9)), customer: "ada".to_owned() };
        let published = nodes[1].publish(event()).await;
        assert_eq!(published.map_err(|fault| fault.code()), Err(FaultCode::Expired));
        host.sleep(Duration::from_millis(1)).await;
        nodes[1].publish(event()).await.expect("published in another session");
    });
}
