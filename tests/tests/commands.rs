//! A durable command has its effect once, whatever is retried, raced or refused.

use std::time::Duration;

use catga::prelude::*;
use catga::{FaultCode, Outcome};
use catga_tests::orders::*;

#[tokio::test]
async fn a_command_is_answered_and_its_effect_is_visible_at_once() {
    let node = start().await;
    let order = node.send(CreateOrder::for_customer("ann")).await.expect("created");
    assert_eq!(node.ask(GetOrder { id: order.id }).await, Ok(order));
    assert_eq!(node.ask(CountOrders { customer: "ann".into() }).await, Ok(1));
}

#[tokio::test]
async fn the_report_names_the_command_and_its_position() {
    let node = start().await;
    let replied = node.send(CreateOrder::for_customer("ann")).reported().await;
    let report = replied.report.expect("a durable command is reported on");
    assert_eq!(report.position, Some(node.position()));
    assert!(report.visible);
    let refused = node.send(CancelOrder { id: Uuid::nil().into() }).reported().await;
    assert!(matches!(refused.answer, Err(Failure::Domain(OrderError::NotFound(_)))));
    let refusal = refused.report.expect("a refusal is reported on").position;
    assert!(refusal > report.position, "a refusal is recorded");
}

#[tokio::test]
async fn a_retry_with_its_id_hears_the_first_answer() {
    let node = start().await;
    let create = CreateOrder::for_customer("ann");
    let first = node.send(create.clone()).reported().await;
    let id = first.report.expect("reported").message_id;
    for _ in 0..100 {
        node.send(CreateOrder::for_customer("bob")).await.expect("created");
    }
    assert_eq!(node.send(create.clone()).id(id).await, first.answer);
    assert_eq!(node.ask(CountOrders { customer: "ann".into() }).await, Ok(1));
    let other = node.send(CreateOrder::for_customer("eve")).id(id).await.expect_err("refused");
    assert_eq!(other.fault().map(Fault::code), Some(FaultCode::PayloadMismatch));
}

#[tokio::test]
async fn an_id_that_the_journal_never_gave_out_is_not_executed_as_new() {
    let node = start().await;
    let stranger = catga::MessageId::new(catga::SessionId(999), 1);
    let failure = node.send(CreateOrder::for_customer("ann")).id(stranger).await;
    let fault = failure.expect_err("refused");
    assert_eq!(fault.fault().map(Fault::code), Some(FaultCode::Expired));
    assert_eq!(node.ask(CountOrders { customer: "ann".into() }).await, Ok(0));
}

#[tokio::test]
async fn a_retry_of_a_refusal_hears_the_refusal_although_the_state_has_changed() {
    let node = start().await;
    let id: OrderId = Uuid::from_u128(7).into();
    let refused = node.send(CancelOrder { id }).key("cancel-7").await;
    assert_eq!(refused, Err(OrderError::NotFound(id).into()));
    node.send(ImportOrder { id }).await.expect("imported");
    assert_eq!(node.send(CancelOrder { id }).key("cancel-7").await, refused);
    assert!(node.send(CancelOrder { id }).await.is_ok(), "a new command decides anew");
}

#[tokio::test]
async fn a_key_is_one_command_per_caller_and_message() {
    let node = start().await;
    let create = CreateOrder::for_customer("ann");
    let replied = node.send(create.clone()).key("k").reported().await;
    let again = node.send(create.clone()).key("k").reported().await;
    assert_eq!(again, replied, "the report names the command that counted, too");
    let first = replied.answer.expect("created");
    let other = node.send(create.clone()).key("k").principal("bob").await.expect("created");
    assert_ne!(other.id, first.id, "another caller's key is another key");
    let mismatch = node.send(CreateOrder::for_customer("eve")).key("k").await;
    let fault = mismatch.expect_err("refused");
    assert_eq!(fault.fault().map(Fault::code), Some(FaultCode::PayloadMismatch));
    assert_eq!(node.ask(CountOrders { customer: "eve".into() }).await, Ok(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_with_one_key_are_one_command() {
    let node = start().await;
    for round in 0..200 {
        let calls = (0..8).map(|_| {
            let node = node.clone();
            tokio::spawn(async move {
                node.send(CreateOrder::for_customer("ann")).key(format!("k{round}")).await
            })
        });
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.expect("no panic").expect("created"));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]));
    }
    assert_eq!(node.ask(CountOrders { customer: "ann".into() }).await, Ok(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_concurrent_cancels_exactly_one_wins() {
    let node = start().await;
    for _ in 0..10_000 {
        let order = node.send(CreateOrder::for_customer("ann")).await.expect("created");
        let cancel = |node: Node| async move { node.send(CancelOrder { id: order.id }).await };
        let other = tokio::spawn(cancel(node.clone()));
        let answers = [cancel(node.clone()).await, other.await.expect("no panic")];
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(won, 1, "{answers:?}");
        let refused = Err(OrderError::Cancelled(order.id).into());
        assert!(answers.contains(&refused), "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_required_tag_keeps_two_commands_from_deciding_on_one_view() {
    let node = start().await;
    for round in 0..500 {
        let customer = format!("customer-{round}");
        let calls = (0..4).map(|_| {
            let (node, customer) = (node.clone(), customer.clone());
            tokio::spawn(async move { node.send(CreateOnlyOrder { customer }).await })
        });
        let mut won = 0;
        for call in calls {
            match call.await.expect("no panic") {
                Ok(_) => won += 1,
                Err(failure) => assert_eq!(failure.refusal(), Some(&OrderError::HasOne)),
            }
        }
        assert_eq!(won, 1);
    }
}

#[tokio::test]
async fn emitting_to_a_stream_that_exists_without_loading_it_is_named() {
    let node = start().await;
    let id: OrderId = Uuid::from_u128(7).into();
    node.send(ImportOrder { id }).await.expect("imported");
    let failure = node.send(ImportOrder { id }).await.expect_err("the stream exists");
    let fault = failure.fault().expect("a fault");
    assert_eq!((fault.code(), fault.outcome()), (FaultCode::StreamExists, Outcome::NotExecuted));
}

#[tokio::test]
async fn a_deadline_that_is_too_short_says_whether_the_command_ran() {
    let node = start().await;
    let call = node.send(CreateOrder::for_customer("ann")).deadline(Duration::ZERO);
    let failure = call.await.expect_err("no time at all");
    let fault = failure.fault().expect("a fault");
    assert_eq!(fault.outcome(), Outcome::NotExecuted, "{fault}");
    assert_eq!(node.ask(CountOrders { customer: "ann".into() }).await, Ok(0));
}

#[tokio::test]
async fn a_dropped_call_leaves_the_node_working_and_its_key_usable() {
    let node = start().await;
    for _ in 0..100 {
        let call = node.send(CreateOrder::for_customer("ann")).key("k");
        // Polled once, then dropped wherever it stands.
        let _ = futures_util::FutureExt::now_or_never(call);
    }
    let order = node.send(CreateOrder::for_customer("ann")).key("k").await.expect("created");
    assert_eq!(node.ask(CountOrders { customer: "ann".into() }).await, Ok(1));
    assert_eq!(node.send(CreateOrder::for_customer("ann")).key("k").await, Ok(order));
}
