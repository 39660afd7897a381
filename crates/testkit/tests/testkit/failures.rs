//! What does not hold is refused, with a message that says what was expected and what came.

use std::panic::{AssertUnwindSafe, catch_unwind};

use catga::FaultCode;
use catga::prelude::*;
use catga_testkit::{Given, Then, events, given};

use crate::orders::*;

/// What `check` panics with.
fn failure(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the check must fail");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().expect("a panic with a message")).to_owned(),
    }
}

fn past() -> Given {
    given().event(OrderCreated { id: order_id(7), customer: "ann".into() })
}

fn cancelled(number: u128, reason: &str) -> OrderCancelled {
    OrderCancelled { id: order_id(number), reason: reason.into() }
}

fn cancel(number: u128) -> Then<Order, OrderError> {
    let orders = Orders { book: past().view() };
    past().when(&orders, CancelOrder { id: order_id(number), reason: "twice".into() })
}

#[test]
fn another_payload_is_named_by_its_field() {
    let message = failure(|| drop(cancel(7).then_events([cancelled(7, "late")])));
    assert_eq!(
        message,
        "then_events, after `order.cancel`:\n  \
         event 1: reason: expected \"late\", recorded \"twice\"\n  \
         expected\n    \
         1. `order.cancelled` in order/00000000-0000-0000-0000-000000000007 \
         { id: 00000000-0000-0000-0000-000000000007, reason: \"late\" }\n  \
         recorded\n    \
         1. `order.cancelled` in order/00000000-0000-0000-0000-000000000007 \
         { id: 00000000-0000-0000-0000-000000000007, reason: \"twice\" }\n  \
         and it replied Order { id: OrderId(00000000-0000-0000-0000-000000000007), \
         customer: \"ann\", created_at: Timestamp(1767225600000), is_cancelled: true }"
    );
}

#[test]
fn another_stream_another_type_and_other_tags_are_named() {
    let message = failure(|| drop(cancel(7).then_events([cancelled(8, "twice")])));
    let stream = "order/00000000-0000-0000-0000-00000000000";
    assert!(
        message.contains(&format!("expected in {stream}8, recorded in {stream}7")),
        "{message}"
    );
    let created = |customer: &str| OrderCreated { id: order_id(7), customer: customer.into() };
    let message = failure(|| drop(cancel(7).then_events([created("ann")])));
    assert!(
        message.contains("event 1: expected `order.created`, recorded `order.cancelled`"),
        "{message}"
    );
    let then = given().when_calling(async |tx| {
        tx.emit(created("bob"));
        Answer::<()>::Ok(())
    });
    let message = failure(|| drop(then.then_events([created("ann")])));
    assert!(message.starts_with("then_events, after the function:"), "{message}");
    assert!(
        message.contains("expected the tags [\"customer/ann\"], recorded [\"customer/bob\"]"),
        "{message}"
    );
}

#[test]
fn more_or_fewer_events_are_counted_and_listed() {
    let message = failure(|| drop(cancel(7).then_nothing()));
    assert!(
        message.starts_with(
            "then_nothing, after `order.cancel`:\n  expected no event, recorded 1\n  \
             expected\n    nothing\n  recorded\n    1. `order.cancelled` in order/"
        ),
        "{message}"
    );
    // The format of an event that the test never names is taken from the command.
    assert!(message.contains("reason: \"twice\" }"), "{message}");
    let message = failure(|| drop(cancel(8).then_events(events![cancelled(8, "twice")])));
    assert!(message.contains("\n  expected 1 event, recorded 0\n"), "{message}");
    assert!(
        message.ends_with(
            "\n  recorded\n    nothing\n  and it refused with \
             NotFound(OrderId(00000000-0000-0000-0000-000000000008)) \
             (`order.not-found`: no order 00000000-0000-0000-0000-000000000008)"
        ),
        "{message}"
    );
}

#[test]
fn another_answer_is_shown_as_it_came() {
    let order = cancel(7).into_reply();
    let message = failure(|| drop(cancel(8).then_reply(order.clone())));
    assert!(
        message.starts_with("then_reply, after `order.cancel`:\n  expected the reply Order {"),
        "{message}"
    );
    assert!(message.contains("\n  but it refused with NotFound("), "{message}");
    let message = failure(|| drop(cancel(7).then_refused(OrderError::HasOne)));
    assert!(
        message.starts_with(
            "then_refused, after `order.cancel`:\n  expected the refusal HasOne\n  \
             but it replied Order {"
        ),
        "{message}"
    );
    let message = failure(|| drop(cancel(8).then_refused_as("order.has-one")));
    assert!(
        message.contains("expected a refusal `order.has-one`\n  but it refused with NotFound("),
        "{message}"
    );
    let message = failure(|| drop(cancel(8).into_reply()));
    assert!(message.starts_with("into_reply, after `order.cancel`:"), "{message}");
    let orders = Orders { book: past().view() };
    let imported = past().when(&orders, ImportOrder { id: order_id(7) });
    let message = failure(|| drop(imported.then_reply(())));
    assert!(
        message.contains(
            "but it failed with the fault stream-exists: `order.import` emits to stream order/"
        ),
        "{message}"
    );
    let message = failure(|| drop(cancel(7).then_fault(FaultCode::Denied)));
    assert!(message.contains("expected a fault `denied`\n  but it replied"), "{message}");
}

#[test]
fn other_conditions_are_told_apart() {
    let message = failure(|| drop(cancel(7).then_conditions([])));
    assert!(
        message.starts_with(
            "then_conditions, after `order.cancel`:\n  missing []\n  not expected [StreamAt {"
        ),
        "{message}"
    );
    let message = failure(|| drop(cancel(7).then_conflicts_with([cancelled(8, "other")])));
    assert!(
        message.contains("expected a conflict, but its effect counts whatever of this comes first"),
        "{message}"
    );
    let message = failure(|| drop(cancel(7).then_counts_despite([cancelled(7, "first")])));
    assert!(
        message.contains("but it conflicts with `order.cancelled` in order/00000000"),
        "{message}"
    );
}

#[test]
fn an_event_that_is_not_there_is_asked_for_in_vain() {
    let message = failure(|| drop(cancel(8).event::<OrderCancelled>()));
    assert!(
        message.starts_with(
            "event, after `order.cancel`:\n  expected one `order.cancelled`\n  recorded\n    nothing"
        ),
        "{message}"
    );
    let message = failure(|| drop(past().delivered::<OrderCancelled>("mail")));
    assert_eq!(message, "no `order.cancelled` was given, so none is delivered to `mail`");
}

#[test]
fn a_stream_that_does_not_fold_says_which_event_is_wrong() {
    let message =
        failure(|| drop(given().event(cancelled(7, "early")).state::<Order>(&order_id(7))));
    assert!(
        message.starts_with("cannot fold event `order.cancelled` (version 1 of stream order/"),
        "{message}"
    );
}

#[tokio::test]
async fn a_blocking_step_in_an_asynchronous_test_says_what_to_write() {
    let message = failure(|| drop(cancel(7)));
    assert!(message.contains("with `when_async` in place of `when`"), "{message}");
}

/// A field that is left out of what is sent is lost between nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Forgetful {
    #[serde(skip)]
    forgotten: u8,
}

#[derive(Command, Serialize, Deserialize)]
#[command(name = "forget", reply = Forgetful)]
struct Forget;

struct Memory;

#[service]
impl Memory {
    async fn forget(&self, _cmd: Forget) -> Answer<Forgetful> {
        Ok(Forgetful { forgotten: 7 })
    }
}

#[test]
fn what_a_format_loses_is_lost_here_too() {
    let then = given().when(&Memory, Forget);
    let message = failure(|| drop(then.then_reply(Forgetful { forgotten: 7 })));
    assert!(message.contains("but it replied Forgetful { forgotten: 0 }"), "{message}");
}

#[test]
#[should_panic(expected = "the handler's own words")]
fn a_panic_of_the_handler_is_the_tests() {
    let answer =
        given().when_calling(async |_tx| -> Answer<()> { panic!("the handler's own words") });
    drop(answer);
}
