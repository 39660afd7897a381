//! Reads at each level, and positions that this journal cannot stand for.

use std::time::Duration;

use catga::prelude::*;
use catga::{FaultCode, Offset, Outcome, Position, ReadLevel};
use catga_tests::orders::*;

fn code<R: std::fmt::Debug, E: std::fmt::Debug>(answer: Answer<R, E>) -> FaultCode {
    answer.expect_err("a fault").fault().expect("a fault").code()
}

#[tokio::test]
async fn a_read_at_any_level_sees_what_was_acknowledged() {
    let node = start().await;
    for level in [ReadLevel::Local, ReadLevel::Session, ReadLevel::Linearizable] {
        let order = node.send(CreateOrder::for_customer("ann")).await.expect("created");
        assert_eq!(node.ask(GetOrder { id: order.id }).level(level).await, Ok(order));
    }
}

#[tokio::test]
async fn a_session_read_takes_a_position_that_was_seen() {
    let node = start().await;
    let order = node.send(CreateOrder::for_customer("ann")).await.expect("created");
    let seen: Position = node.position().to_string().parse().expect("a position");
    assert_eq!(node.ask(GetOrder { id: order.id }).after(seen).await, Ok(order));
}

#[tokio::test(start_paused = true)]
async fn a_position_of_the_future_is_not_answered_before_it_is_reached() {
    let node = start().await;
    let mut future = node.position();
    future.offset = Offset(future.offset.0 + 1);
    let read = node.ask(CountOrders { customer: "ann".into() }).after(future);
    assert_eq!(code(read.await), FaultCode::PositionNotReached);
    let command = node.send(CreateOrder::for_customer("ann")).after(future).await;
    let failure = command.expect_err("not decided on an older state");
    assert_eq!(failure.fault().map(Fault::outcome), Some(Outcome::NotExecuted));
    let (read, _) = tokio::join!(
        node.ask(CountOrders { customer: "ann".into() }).after(future),
        node.send(CreateOrder::for_customer("ann")),
    );
    assert_eq!(read, Ok(1), "the read waited for the position");
}

#[tokio::test]
async fn a_position_of_another_incarnation_is_never_compared() {
    let (node, other) = (start().await, start().await);
    let seen = other.position();
    let read = node.ask(CountOrders { customer: "ann".into() }).after(seen).await;
    assert_eq!(code(read), FaultCode::PositionUnknown);
    let command = node.send(CreateOrder::for_customer("ann")).after(seen).await;
    assert_eq!(code(command), FaultCode::PositionUnknown);
}

#[tokio::test]
async fn a_waiting_read_keeps_to_its_deadline() {
    let node = start().await;
    let mut future = node.position();
    future.offset = Offset(u64::MAX);
    let read = node.ask(CountOrders { customer: "ann".into() }).after(future);
    let read =
        tokio::time::timeout(Duration::from_millis(500), read.deadline(Duration::from_millis(1)));
    assert_eq!(code(read.await.expect("answered in time")), FaultCode::PositionNotReached);
}
