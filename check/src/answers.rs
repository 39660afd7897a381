//! Does each answer belong to its request?
//!
//! After the wrong replies that Jepsen found in Redis-Raft ("Redis-Raft 1b3fbf6", 2020): a reply
//! went to another client than the one who had asked.
//!
//! **Does not see** an answer that would have been right for its request as well, only from another
//! time; the other checkers do, where it makes a difference.

use std::collections::HashMap;

use crate::{
    Action, Finding, History, Operation, Outcome, Refusal, Reply, Shown, Status, Verdict, Wrong,
};

/// Holds each answer against what was asked.
pub fn answers(history: &History) -> Verdict {
    let mut findings = Vec::new();
    let mut faces = HashMap::<&str, (&Shown, u64)>::new();
    for operation in history.operations() {
        if let Some(what) = strange(operation) {
            findings.push(Finding::new(Wrong::WrongReply, what, [operation.number]));
        }
        let shown: &[Shown] = match &operation.outcome {
            Outcome::Ok(Reply::Order(order)) => std::slice::from_ref(order),
            Outcome::Ok(Reply::Orders(orders)) => orders,
            _ => &[],
        };
        // All but the status of an order is said in one way by all who ever show it.
        for order in shown {
            let (first, number) =
                *faces.entry(&order.order_id).or_insert((order, operation.number));
            if *order != (Shown { status: order.status, ..first.clone() }) {
                let what = format!("{first:?} is shown as {order:?}");
                findings.push(Finding::new(Wrong::TwoAnswers, what, [number, operation.number]));
            }
        }
    }
    Verdict::of(findings)
}

/// Why the answer is none to this request.
fn strange(operation: &Operation) -> Option<String> {
    let expect = |holds: bool| {
        (!holds).then(|| format!("{:?} got {:?}", operation.action, operation.outcome))
    };
    match (&operation.action, &operation.outcome) {
        (_, Outcome::NotExecuted | Outcome::Unknown) => None,
        (Action::Create { customer, quantity }, Outcome::Ok(Reply::Order(order))) => expect(
            order.product_id == operation.order
                && order.quantity == *quantity
                && order.customer_id == *customer
                && order.status == Status::Created,
        ),
        (Action::Cancel { id, .. }, Outcome::Ok(Reply::Order(order))) => expect(
            order.order_id == *id
                && order.product_id == operation.order
                && order.status == Status::Cancelled,
        ),
        (Action::Get { id, .. }, Outcome::Ok(Reply::Order(order))) => {
            expect(order.order_id == *id && order.product_id == operation.order)
        }
        (Action::List { customer }, Outcome::Ok(Reply::Orders(orders))) => {
            expect(orders.iter().all(|order| order.customer_id == *customer))
        }
        (Action::Cancel { id, .. }, Outcome::Refused(why)) => {
            let known = [Refusal::NOT_FOUND, Refusal::CANCELLED].contains(&&*why.code);
            expect(known && why.detail.contains(id))
        }
        (Action::Get { id, .. }, Outcome::Refused(why)) => {
            expect(why.code == Refusal::NOT_FOUND && why.detail.contains(id))
        }
        (Action::List { customer }, Outcome::Refused(why)) => {
            expect(why.code == Refusal::NO_CUSTOMER && why.detail.contains(customer))
        }
        (_, Outcome::Ok(_) | Outcome::Refused(_)) => expect(false),
    }
}
