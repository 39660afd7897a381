//! What holds is accepted, and a handler sees what it would see on a node.

use std::collections::HashMap;
use std::time::Duration;

use catga::prelude::*;
use catga::{Condition, FaultCode, Offset, StreamName};
use catga_testkit::{Given, block_on, events, given, time};

use crate::orders::*;

fn created(number: u128, customer: &str) -> OrderCreated {
    OrderCreated { id: order_id(number), customer: customer.into() }
}

fn cancelled(number: u128, reason: &str) -> OrderCancelled {
    OrderCancelled { id: order_id(number), reason: reason.into() }
}

fn orders(past: &Given) -> Orders {
    Orders { book: past.view() }
}

fn cancel(number: u128) -> CancelOrder {
    CancelOrder { id: order_id(number), reason: "twice".into() }
}

#[test]
fn an_aggregate_folds_its_own_stream_and_no_other() {
    let past = given()
        .at(time("2026-11-21T09:30:00Z"))
        .event(created(1, "ann"))
        .later(Duration::from_secs(60))
        .events(events![created(2, "bob"), cancelled(1, "twice")]);
    let order = past.state::<Order>(&order_id(1)).expect("created");
    assert_eq!(order.created_at, time("2026-11-21T09:30:00Z"));
    assert!(order.is_cancelled);
    let other = past.state::<Order>(&order_id(2)).expect("created");
    assert_eq!(other.created_at, time("2026-11-21T09:31:00Z"));
    assert!(!other.is_cancelled);
    assert_eq!(past.state::<Order>(&order_id(3)), None);
}

#[test]
fn a_projection_folds_the_events_of_all_streams() {
    let past = given().events(events![created(1, "ann"), cancelled(1, "twice"), created(2, "ann")]);
    assert_eq!(past.projection::<OrderBook>().count("ann"), 2);
    assert_eq!(past.view::<OrderBook>().read(|book| book.count("ann")), Ok(2));
    past.when(&orders(&past), CountOrders { customer: "ann".into() }).then_reply(2).then_nothing();
}

#[test]
fn a_command_is_answered_from_the_past_and_records_its_events() {
    let past = given().event(created(7, "ann"));
    let then = past.when(&orders(&past), cancel(7));
    let conditions = [Condition::StreamAt { stream: stream(7), version: 1 }];
    let reply = then
        .then_events([cancelled(7, "twice")])
        .then_conditions(conditions)
        .then_conflicts_with([cancelled(7, "first")])
        .then_counts_despite(events![created(8, "ann")])
        .into_reply();
    assert!(reply.is_cancelled);
}

fn stream(number: u128) -> StreamName {
    StreamName::of::<Order>(&order_id(number))
}

#[test]
fn a_refusal_records_no_event_and_still_depends_on_what_was_read() {
    let past = given().events(events![created(7, "ann"), cancelled(7, "first")]);
    past.when(&orders(&past), cancel(7))
        .then_refused(OrderError::Cancelled(order_id(7)))
        .then_refused_as("order.cancelled")
        .then_nothing()
        .then_conditions([Condition::StreamAt { stream: stream(7), version: 2 }]);
    past.when(&orders(&past), cancel(8))
        .then_refused(OrderError::NotFound(order_id(8)))
        .then_conflicts_with([created(8, "eve")]);
}

#[test]
fn a_required_tag_conflicts_with_its_events_only() {
    let past = given().event(created(1, "bob"));
    let tag = Tag::new("customer", "ann");
    past.when(&orders(&past), CreateOnlyOrder { customer: "ann".into() })
        .then_conditions([
            Condition::StreamAbsent { stream: StreamName::of::<Order>(&past.new_id::<OrderId>(0)) },
            Condition::TagQuiet { tag, after: Offset(1) },
        ])
        .then_conflicts_with([created(2, "ann")])
        .then_counts_despite([created(2, "bob")]);
}

#[test]
fn ids_and_the_time_are_what_the_test_says() {
    let past = given().at(time("2026-11-21T09:30:00Z"));
    let id = past.new_id(0);
    let order = past
        .when(&orders(&past), CreateOrder { customer: "ann".into() })
        .then_events([OrderCreated { id, customer: "ann".into() }])
        .into_reply();
    assert_eq!((order.id, order.created_at), (id, time("2026-11-21T09:30:00Z")));
    let again = past.when(&orders(&past), CreateOrder { customer: "ann".into() });
    assert_eq!(again.event::<OrderCreated>().id, id, "every attempt sees the same id");
}

#[test]
fn a_story_goes_on_from_what_was_recorded() {
    let start = given();
    let story = start.when(&orders(&start), CreateOrder { customer: "ann".into() });
    let id = story.event::<OrderCreated>().id;
    let past = story.and();
    let cancel = CancelOrder { id, reason: "twice".into() };
    let past = past.when(&orders(&past), cancel.clone()).and();
    past.when(&orders(&past), cancel).then_refused(OrderError::Cancelled(id));
    assert_ne!(past.new_id::<OrderId>(0), id, "the next command has ids of its own");
}

#[test]
fn what_a_node_would_refuse_is_a_fault_here() {
    let past = given().event(created(7, "ann"));
    let service = orders(&past);
    past.when(&service, CreateOrder { customer: String::new() })
        .then_fault(FaultCode::InvalidMessage)
        .then_nothing();
    // The handler creates a stream that exists already.
    past.when(&service, ImportOrder { id: order_id(7) })
        .then_fault(FaultCode::StreamExists)
        .then_nothing();
    past.when(&service, ImportOrder { id: order_id(8) })
        .then_reply(())
        .then_events([created(8, "imported")]);
}

#[test]
fn an_event_for_another_stream_than_the_loaded_one_is_a_fault() {
    let past = given().event(created(7, "ann"));
    past.when_calling(async |tx| {
        let mut order = tx.load::<Order>(&order_id(7)).await?.ok_or(OrderError::HasOne)?;
        order.emit(cancelled(8, "mistaken"));
        Answer::<(), OrderError>::Ok(())
    })
    .then_fault(FaultCode::Internal)
    .then_nothing();
}

#[test]
fn part_of_a_handler_can_be_called_with_the_context_that_is_given() {
    let past = given().principal("ann").tenant("acme").correlation("c-1");
    past.when_calling(async |tx| {
        let context = tx.context();
        let parts = [&context.principal, &context.tenant, &context.correlation];
        Answer::<Vec<_>>::Ok(parts.map(|part| part.as_deref().unwrap_or("?").to_owned()).into())
    })
    .then_reply(vec!["ann".into(), "acme".into(), "c-1".into()]);
}

#[test]
fn a_function_with_the_transaction_can_be_called_by_itself() {
    async fn place(tx: &mut Tx, number: u128) -> Answer<()> {
        tx.emit(created(number, "ann"));
        Ok(())
    }
    given().when_calling(async |tx| place(tx, 7).await).then_events([created(7, "ann")]);
}

#[test]
fn a_handler_may_await_timers_and_no_time_is_lost() {
    let start = std::time::Instant::now();
    given()
        .when_calling(async |_tx| {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            tokio::task::yield_now().await;
            Answer::<u8>::Ok(1)
        })
        .then_reply(1);
    assert!(start.elapsed() < Duration::from_secs(600));
}

/// Counts in a map, which is written in another order each time.
#[derive(Event, Clone, Serialize, Deserialize)]
#[event(name = "order.counted", stream = Order, key = id)]
struct OrderCounted {
    id: OrderId,
    by_product: HashMap<String, u32>,
}

#[test]
fn the_order_within_a_map_makes_no_difference() {
    // Each map has an order of its own.
    let counted = || {
        let by_product = (0..50).map(|number| (format!("p{number}"), number)).collect();
        OrderCounted { id: order_id(7), by_product }
    };
    given()
        .when_calling(async |tx| {
            tx.append_any(counted());
            Answer::<()>::Ok(())
        })
        .then_events([counted()])
        .then_conditions([]);
}

#[tokio::test]
async fn in_an_asynchronous_test_it_is_awaited() {
    let past = given().event(created(7, "ann"));
    past.when_async(&orders(&past), cancel(7)).await.then_events([cancelled(7, "twice")]);
    let doubled = past.when_calling_async(async |_tx| Answer::<u8>::Ok(2)).await;
    doubled.then_reply(2);
}

#[test]
fn a_subscriber_gets_the_event_as_it_was_recorded() {
    let past = given().events(events![created(1, "ann"), created(2, "bob"), cancelled(1, "twice")]);
    let (event, delivery) = past.delivered::<OrderCreated>("confirm-by-mail");
    assert_eq!(event.customer, "bob");
    let meta = delivery.meta.as_ref().expect("recorded");
    assert_eq!((meta.position.offset, meta.version, delivery.attempt), (Offset(2), 1, 1));
    assert_eq!(delivery.idempotency_key(), "confirm-by-mail:1-0-2:0");
}

#[test]
fn a_future_can_be_run_by_itself() {
    assert_eq!(block_on(async { 7 }), 7);
}
