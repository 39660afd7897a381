//! When all is over: is everything there that was acknowledged, on every node?
//!
//! The set of Jepsen's tests (`jepsen.checker/set`): what was added and acknowledged must be in the
//! last read. Here the last reads are lists of each customer's orders, of everything that was
//! acknowledged, at each node.
//!
//! **Does not see** anything of a history without lists, and says so: it is then undecided.

use std::collections::HashMap;

use crate::effect::{Effect, effects};
use crate::{Action, Finding, History, Operation, Outcome, Reply, Shown, Status, Verdict, Wrong};

/// Holds each list against what was acknowledged before it was asked for, and what was ever sent.
pub fn readback(history: &History) -> Verdict {
    let effects = effects(history);
    let mut by_order = HashMap::<&str, Vec<&Effect<'_>>>::new();
    for effect in &effects {
        by_order.entry(&effect.first().order).or_default().push(effect);
    }
    let mut of_customer = HashMap::<&str, Vec<&str>>::new();
    for effect in &effects {
        if let Action::Create { customer, .. } = &effect.first().action {
            of_customer.entry(customer).or_default().push(&effect.first().order);
        }
    }
    let (mut findings, mut lists) = (Vec::new(), 0);
    for list in history.operations().filter(|operation| operation.is_answered()) {
        let Action::List { customer } = &list.action else { continue };
        lists += 1;
        let shown: &[Shown] = match &list.outcome {
            Outcome::Ok(Reply::Orders(orders)) => orders,
            _ => &[],
        };
        let shown: HashMap<_, _> = shown.iter().map(|it| (&*it.product_id, it)).collect();
        for order in of_customer.get(&**customer).into_iter().flatten() {
            let about = by_order.get(order).map_or(&[][..], |about| about);
            check(about, shown.get(order).copied(), list, &mut findings);
        }
        for stranger in shown.keys().filter(|product| !by_order.contains_key(*product)) {
            let what = format!("nobody ordered product {stranger}");
            findings.push(Finding::new(Wrong::Uncalled, what, [list.number]));
        }
    }
    match lists {
        0 => Verdict::Undecided("nothing was read back".to_owned()),
        _ => Verdict::of(findings),
    }
}

/// Compares one order, as the list has it or not, with the commands about it.
fn check(
    about: &[&Effect<'_>],
    shown: Option<&Shown>,
    list: &Operation,
    findings: &mut Vec<Finding>,
) {
    let done = |create: bool| {
        let mut all = about.iter().filter(move |effect| effect.is_create() == create);
        all.find_map(|effect| {
            effect.answer().filter(|it| it.returned < list.invoked && it.shown().is_some())
        })
    };
    let may = |create: bool| {
        let mut all = about.iter().filter(move |effect| effect.is_create() == create);
        all.any(|effect| effect.may_count() && effect.invoked() < list.returned)
    };
    let mut find = |wrong, what: String, by: Option<&Operation>| {
        let numbers = by.map(|it| it.number).into_iter().chain([list.number]);
        findings.push(Finding::new(wrong, what, numbers));
    };
    let (created, cancelled) = (done(true), done(false));
    let order = &about[0].first().order;
    match shown {
        None => {
            if let Some(created) = created {
                find(Wrong::Lost, format!("order {order} on node {}", list.node), Some(created));
            }
        }
        Some(shown) => {
            if !may(true) {
                find(Wrong::Uncalled, format!("order {order} was never placed"), None);
            }
            match (shown.status, cancelled) {
                (Status::Created, Some(cancelled)) => {
                    let what = format!("the cancellation of {order} on node {}", list.node);
                    find(Wrong::Lost, what, Some(cancelled));
                }
                (Status::Cancelled, None) if !may(false) => {
                    find(Wrong::Uncalled, format!("order {order} was never cancelled"), None);
                }
                _ => {}
            }
        }
    }
}
