//! The order service without a node: what it decides from what has happened.

use catga::Uuid;
use catga_testkit::{Given, given};
use order_cluster::book::OrderBook;
use order_cluster::messages::{CancelOrder, CreateOrder, GetCustomerOrders, OrderError, OrderId};
use order_cluster::order::{Order, OrderCancelled, OrderCreated, Status};
use order_cluster::service::Orders;

fn id() -> OrderId {
    Uuid::from_u128(7).into()
}

fn created() -> OrderCreated {
    OrderCreated {
        order_id: id(),
        product_id: "PROD-001".into(),
        quantity: 2,
        customer_id: "ann".into(),
    }
}

fn cancelled() -> OrderCancelled {
    OrderCancelled { order_id: id(), reason: "ordered twice".into() }
}

fn cancel() -> CancelOrder {
    CancelOrder { order_id: id(), reason: "ordered twice".into() }
}

/// The service over a read model of what has happened.
fn orders(past: &Given) -> Orders {
    Orders { book: past.view::<OrderBook>() }
}

#[test]
fn an_order_is_created_with_an_id_of_its_own() {
    let past = given();
    let new = CreateOrder { product_id: "PROD-001".into(), quantity: 2, customer_id: "ann".into() };
    let expected = OrderCreated { order_id: past.new_id(0), ..created() };
    past.when(&orders(&past), new).then_events([expected]);
}

#[test]
fn an_open_order_is_cancelled_unless_somebody_was_faster() {
    let past = given().event(created());
    past.when(&orders(&past), cancel())
        .then_events([cancelled()])
        .then_conflicts_with([cancelled()]);
}

#[test]
fn an_order_that_is_not_there_or_not_open_is_not_cancelled() {
    let nothing = given();
    nothing.when(&orders(&nothing), cancel()).then_refused(OrderError::NotFound(id()));
    let past = given().event(created()).event(cancelled());
    past.when(&orders(&past), cancel()).then_refused(OrderError::AlreadyCancelled(id()));
}

#[test]
fn the_state_and_the_book_follow_the_events() {
    let past = given().event(created()).event(cancelled());
    let order = past.state::<Order>(&id()).expect("the order exists");
    assert_eq!((order.status, order.quantity), (Status::Cancelled, 2));
    let of_ann = GetCustomerOrders { customer_id: "ann".into() };
    let reply = past.when(&orders(&past), of_ann).then_nothing().into_reply();
    assert_eq!(reply.orders, [order]);
}
