//! Is every order, seen for itself, one that does one thing after the other?
//!
//! By answers and times alone, so that a service that lies about positions is caught as well.
//! Linearizability is local (Herlihy and Wing, "Linearizability", TOPLAS 1990): a history is
//! linearizable if that of each object is. So each order is searched for itself, which is what
//! Horn and Kroening call P-compositionality.
//!
//! **Does not see** what spans orders, such as lists of a customer; reads that may be stale; whether
//! what was acknowledged is still there when nobody reads it again; and nothing at all of an order
//! whose search takes more than the limit, which is then undecided.

use std::collections::{BTreeMap, HashMap};

use crate::order_model::{OrderAnswer, OrderCall, OrderModel};
use crate::wgl::{Made, Search, search};
use crate::{Action, Finding, History, Level, Operation, Outcome, Refusal, Reply, Verdict, Wrong};

/// So many attempts to place an operation are made for one order: seconds of search.
const ATTEMPTS: u64 = 4_000_000;

/// Searches each order for an explanation.
pub fn linearizable(history: &History) -> Verdict {
    let mut orders = BTreeMap::<&str, Vec<&Operation>>::new();
    for operation in history.operations().filter(|operation| is_seen(operation)) {
        orders.entry(&operation.order).or_default().push(operation);
    }
    let (mut findings, mut undecided) = (Vec::new(), Vec::new());
    for (order, operations) in orders {
        match search(&OrderModel, &made(&operations), ATTEMPTS) {
            Search::Linearizable(_) => {}
            Search::GaveUp => undecided.push(format!("{order} ({} operations)", operations.len())),
            Search::Not { placed, stuck } => {
                findings.push(told(order, &operations, &placed, stuck));
            }
        }
    }
    match (findings.is_empty(), undecided.is_empty()) {
        (true, false) => {
            let orders = undecided.join(", ");
            Verdict::Undecided(format!("more than {ATTEMPTS} attempts: {orders}"))
        }
        _ => Verdict::of(findings),
    }
}

/// True for what takes its place in one order: commands, unless they were proved not to have run,
/// and reads that must show everything, if they were answered.
fn is_seen(operation: &Operation) -> bool {
    match &operation.action {
        Action::Create { .. } | Action::Cancel { .. } => operation.outcome != Outcome::NotExecuted,
        Action::Get { level, .. } => *level == Level::Linearizable && operation.is_answered(),
        Action::List { .. } => false,
    }
}

fn made(operations: &[&Operation]) -> Vec<Made<OrderCall, OrderAnswer>> {
    let mut keys = HashMap::<&str, (u32, u32)>::new();
    for key in operations.iter().filter_map(|operation| operation.key.as_deref()) {
        let next = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        keys.entry(key).or_insert((next, 0)).1 += 1;
    }
    // A key that comes once need not be remembered, and what is not remembered is not searched.
    let repeated = |operation: &Operation| {
        let (number, times) = keys.get(operation.key.as_deref()?)?;
        (*times > 1).then_some(*number)
    };
    let mut faces = HashMap::new();
    let mut made = Vec::with_capacity(operations.len());
    for &operation in operations {
        let call = match operation.action {
            Action::Create { .. } => OrderCall::Create(repeated(operation)),
            Action::Cancel { .. } => OrderCall::Cancel(repeated(operation)),
            Action::Get { .. } | Action::List { .. } => OrderCall::Get,
        };
        let answer = match &operation.outcome {
            Outcome::Ok(Reply::Order(shown)) => {
                let next = u32::try_from(faces.len()).unwrap_or(u32::MAX);
                let face = (
                    &shown.order_id,
                    &shown.product_id,
                    shown.quantity,
                    &shown.customer_id,
                    &shown.created_at,
                );
                Some(OrderAnswer::Shown(*faces.entry(face).or_insert(next), shown.status))
            }
            Outcome::Ok(Reply::Orders(_)) => Some(OrderAnswer::Other),
            Outcome::Refused(refusal) => Some(match refusal.code.as_str() {
                Refusal::NOT_FOUND => OrderAnswer::NotFound,
                Refusal::CANCELLED => OrderAnswer::AlreadyCancelled,
                _ => OrderAnswer::Other,
            }),
            Outcome::NotExecuted | Outcome::Unknown => None,
        };
        let answered = answer.map(|answer| (operation.returned, answer));
        made.push(Made { invoked: operation.invoked, answered, call });
    }
    made
}

/// The operation that has no place, and those that it cannot be explained with.
fn told(order: &str, operations: &[&Operation], placed: &[usize], stuck: usize) -> Finding {
    const SHOWN: usize = 8;
    let last = placed.iter().rev().take(SHOWN).rev();
    let involved = last.chain([&stuck]).map(|index| operations[*index].number);
    let what = format!(
        "{} of {} operations of order {order} have an order, and then {:?} cannot be answered \
         {:?}",
        placed.len(),
        operations.len(),
        operations[stuck].action,
        operations[stuck].outcome,
    );
    Finding::new(Wrong::NotLinearizable, what, involved)
}
