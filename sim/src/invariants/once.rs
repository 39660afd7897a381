//! I2: an effect counts once, however often its command is sent, and every answer to it is the same.
//!
//! *Source.* FoundationDB's `commit_unknown_result`, after which increments ran twice; Jepsen on
//! Redpanda 21.10 (duplicates although writes were idempotent). *Observed:* clients send again what
//! was not answered, and now and then what was, under the same key to any node; no order is shown or
//! created twice, and no answer differs from an earlier one. *When:* at every answer; of what nodes
//! show and of their histories at the end, of a lone node at every start.

use std::collections::BTreeSet;
use std::fmt::Debug;

use catga_core::RecordedEvent;
use order_cluster::order::Order;

use super::Invariant;
use crate::Violation;
use crate::ledger::Known;

/// No order is there twice.
pub(crate) fn is_shown_once(known: &mut Known, shown: &[Order]) -> Result<(), Violation> {
    known.exercised.evaluated.count(Invariant::Once);
    let mut seen = BTreeSet::new();
    match shown.iter().find(|order| !seen.insert(&order.product_id)) {
        Some(order) => {
            Err(Invariant::Once.broken(format!("order {} is there twice", order.product_id)))
        }
        None => Ok(()),
    }
}

/// The creation of an order is the first event of its stream.
pub(crate) fn is_created_once(event: &RecordedEvent) -> Result<(), Violation> {
    match event.name.as_ref() == "order.created" && event.meta.version != 1 {
        true => Err(Invariant::Once.broken(format!("{:?} is created twice", event.meta.stream))),
        false => Ok(()),
    }
}

/// A command that was answered before is answered so again. True if it was not.
pub(crate) fn is_the_same<T: Debug + PartialEq>(
    known: &mut Known,
    action: &impl Debug,
    before: Option<&T>,
    answer: &T,
) -> Result<bool, Violation> {
    known.exercised.evaluated.count(Invariant::Once);
    match before {
        Some(before) if before != answer => {
            let what = format!("{action:?} was answered {before:?}, then {answer:?}");
            Err(Invariant::Once.broken(what))
        }
        before => Ok(before.is_none()),
    }
}
