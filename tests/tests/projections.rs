//! Projections fold in order, on their own time, and fail alone.

use std::sync::mpsc;
use std::sync::{Mutex, OnceLock};

use catga::prelude::*;
use catga::{FaultCode, Quarantined};
use catga_tests::orders::*;
use catga_tests::wait_until;

/// Panics at the third order.
#[derive(Default, Serialize, Deserialize)]
struct Fragile {
    seen: u32,
}

#[projection(name = "fragile", version = 3)]
impl Fragile {
    fn created(&mut self, _event: &OrderCreated) {
        self.seen += 1;
        assert!(self.seen < 3, "three is too many");
    }
}

#[derive(Query, Serialize, Deserialize)]
#[query(name = "fragile.seen", reply = u32)]
struct GetSeen;

struct Reader {
    fragile: View<Fragile>,
}

#[service]
impl Reader {
    async fn seen(&self, _query: GetSeen) -> Answer<u32> {
        Ok(self.fragile.read(|fragile| fragile.seen)?)
    }
}

#[tokio::test]
async fn a_projection_that_panics_is_quarantined_and_nothing_else_notices() {
    let node = Catga::builder()
        .service(|n| Orders { book: n.projection() })
        .service(|n| Reader { fragile: n.projection() })
        .start()
        .await
        .expect("starts");
    for _ in 0..2 {
        node.send(CreateOrder::for_customer("ann")).await.expect("created");
    }
    let seen = node.ask(GetSeen).after(node.position()).await;
    assert_eq!(seen, Ok(2));
    let third = node.send(CreateOrder::for_customer("ann")).reported().await;
    let position = third.report.expect("reported").position.expect("recorded");
    wait_until("the fold has panicked", || !node.health().degraded.is_empty()).await;
    let failure = node.ask(GetSeen).after(node.position()).await.expect_err("quarantined");
    let fault = failure.fault().expect("a fault");
    assert_eq!(fault.code(), FaultCode::ProjectionQuarantined);
    assert!(fault.message().contains(&position.to_string()), "{fault}");
    let status = node.projections();
    let fragile = status.iter().find(|status| status.name == "fragile").expect("listed");
    let Some(Quarantined { reason, position: at, .. }) = &fragile.quarantined else {
        panic!("{fragile:?}")
    };
    assert!(reason.contains("three is too many"), "{reason}");
    assert_eq!(*at, position);
    // Commands and other views go on, and a health check says what is wrong.
    node.send(CreateOrder::for_customer("ann")).await.expect("created");
    assert_eq!(node.ask(CountOrders { customer: "ann".into() }).await, Ok(4));
    assert!(node.health().ready);
}

/// Where the slow fold below waits.
static GATE: OnceLock<Mutex<mpsc::Receiver<()>>> = OnceLock::new();

#[derive(Default)]
struct Slow(u32);

#[projection(name = "slow", version = 1, checkpoint = false)]
impl Slow {
    fn created(&mut self, _event: &OrderCreated) {
        let gate = GATE.get().expect("set by the test").lock().expect("one reader");
        gate.recv().expect("the test lets it through");
        self.0 += 1;
    }
}

struct SlowReader {
    _slow: View<Slow>,
}

#[service]
impl SlowReader {
    async fn nothing(&self, _query: GetSeen) -> Answer<u32> {
        Ok(0)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_projection_of_another_service_holds_up_no_commit() {
    let (open, gate) = mpsc::channel();
    GATE.set(Mutex::new(gate)).expect("set once");
    let node = Catga::builder()
        .service(|n| Orders { book: n.projection() })
        .service(|n| SlowReader { _slow: n.projection() })
        .start()
        .await
        .expect("starts");
    for _ in 0..20 {
        node.send(CreateOrder::for_customer("ann")).await.expect("created");
    }
    let behind = |node: &Node| {
        node.projections().iter().find(|status| status.name == "slow").map(|status| status.behind)
    };
    assert!(behind(&node) >= Some(20), "{:?}", node.projections());
    for _ in 0..20 {
        open.send(()).expect("the fold waits");
    }
    wait_until("the slow projection has caught up", || behind(&node) == Some(0)).await;
}
