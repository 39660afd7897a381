//! Everything that does not fit together is reported at once, before anything is opened.

use std::time::Duration;

use catga::prelude::*;
use catga::{Limits, StartFault};
use catga_tests::orders::*;

#[derive(Command, Serialize, Deserialize)]
#[command(name = "ship.order", reply = ())]
struct ShipOrder;

#[derive(Command, Serialize, Deserialize)]
#[command(name = "order.create", reply = ())]
struct AnotherCreate;

contract! {
    /// What the shop needs of shipping.
    pub Shipping: ShipOrder
}

struct Shop {
    _shipping: Client<Shipping>,
}

#[service]
impl Shop {
    async fn create(&self, _cmd: AnotherCreate) -> Answer<()> {
        Ok(())
    }

    #[subscriber(name = "same-name", each = "node", from = "now")]
    async fn one(&self, _event: &OrderCreated) -> Result<(), String> {
        Ok(())
    }
}

struct Copied;

#[service]
impl Copied {
    async fn get(&self, _query: CountOrders) -> Answer<usize> {
        Ok(0)
    }

    #[subscriber(name = "same-name", each = "node", from = "now")]
    async fn two(&self, _event: &OrderCreated) -> Result<(), String> {
        Ok(())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct OtherBook;

#[projection(name = "orders", version = 1)]
impl OtherBook {
    fn created(&mut self, _event: &OrderCreated) {}
}

struct Broken;

#[service]
impl Broken {}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let mut limits = Limits::default();
    limits.in_flight = 0;
    limits.deadline = Duration::ZERO;
    limits.answer_bytes = 1 << 30;
    let error = Catga::builder()
        .name(" ")
        .limits(limits)
        .service(|n| Orders { book: n.projection() })
        .service(|n| Shop { _shipping: n.client() })
        .service(|n| {
            let _: View<OtherBook> = n.projection();
            Copied
        })
        .try_service(|_| Err::<Broken, _>("no such printer"))
        .start()
        .await
        .expect_err("nothing fits");
    let faults = error.faults();
    let option = |option: &str| {
        faults
            .iter()
            .any(|fault| matches!(fault, StartFault::BadOption { option: o, .. } if *o == option))
    };
    assert!(option("limits.in_flight") && option("limits.deadline"), "{error}");
    assert!(option("limits.answer_bytes") && option("name"), "{error}");
    let has = |fault: &StartFault| faults.contains(fault);
    let (message, referred_by) = ("ship.order", "Shipping");
    assert!(has(&StartFault::NoHandler { message, referred_by }), "{error}");
    let services = ["Orders", "Copied"];
    assert!(has(&StartFault::TwoHandlers { message: "order.count", services }), "{error}");
    assert!(has(&StartFault::TwoSubscribers { name: "same-name" }), "{error}");
    assert!(has(&StartFault::TwoProjections { name: "orders" }), "{error}");
    assert!(
        faults
            .iter()
            .any(|fault| matches!(fault, StartFault::SharedName { name: "order.create", .. })),
        "{error}"
    );
    assert!(
        faults.iter().any(|fault| matches!(
            fault,
            StartFault::ServiceFailed { reason, .. } if reason == "no such printer"
        )),
        "{error}"
    );
    assert_eq!(faults.len(), 10, "{error}");
    assert_eq!(error.to_string().lines().count(), 11, "one line each, and a heading");
}

#[tokio::test]
async fn a_limit_beyond_reason_is_refused() {
    let mut limits = Limits::default();
    limits.in_flight = usize::MAX;
    let error = Catga::builder().limits(limits).start().await.expect_err("too many");
    assert!(error.to_string().contains("limits.in_flight"), "{error}");
}

#[tokio::test]
async fn a_required_contract_must_be_handled() {
    let error = Catga::builder().requires::<Shipping>().start().await.expect_err("unwired");
    assert_eq!(
        error.to_string(),
        "the node cannot start: `ship.order` has no handler, but `Shipping` refers to it; add a \
         service that handles it to the builder"
    );
}

#[tokio::test]
async fn a_client_taken_while_building_works_once_the_node_runs() {
    struct Front {
        orders: Client<Orders>,
    }

    #[derive(Query, Serialize, Deserialize)]
    #[query(name = "front.count", reply = usize)]
    struct CountAll;

    #[service]
    impl Front {
        async fn count(&self, _query: CountAll) -> Answer<usize> {
            self.orders.ask(CountOrders { customer: "ann".into() }).await
        }
    }

    let node = Catga::builder()
        .service(|n| Front { orders: n.client() })
        .service(|n| Orders { book: n.projection() })
        .start()
        .await
        .expect("starts");
    node.send(CreateOrder::for_customer("ann")).await.expect("created");
    assert_eq!(node.ask(CountAll).await, Ok(1));
    let client: Client<Orders> = node.client();
    assert_eq!(client.ask(CountOrders { customer: "ann".into() }).await, Ok(1));
}
