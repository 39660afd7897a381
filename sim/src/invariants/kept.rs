//! I1: what a client saw acknowledged stays, as it was acknowledged.
//!
//! *Source.* etcd #14370 (acknowledged before it was synced), Jepsen on NATS JetStream 2.12.1 (loss
//! of power, lost bits). *Observed:* whoever places an order notes it when it is acknowledged; a
//! node that is asked for all orders of a customer must show these, and no acknowledged cancellation
//! undone. A lone node's journal never goes back. *When:* at the end at every node, before and after
//! a loss of power of all; of a lone node at every start.

use std::collections::BTreeMap;

use catga_core::Offset;
use order_cluster::order::Order;

use super::Invariant;
use crate::Violation;
use crate::ledger::{Known, Sent};

/// What a node shows of a customer's orders is what had been acknowledged before it was asked, and
/// at most what was sent since.
pub(crate) fn is_kept(
    known: &mut Known,
    acknowledged: &BTreeMap<String, Sent>,
    shown: &[Order],
) -> Result<(), Violation> {
    known.exercised.evaluated.count(Invariant::Kept);
    let broken = |what| Err(Invariant::Kept.broken(what));
    for order in shown {
        let product = &order.product_id;
        let Some(now) = known.orders.get(product) else {
            return broken(format!("nobody sent order {product}"));
        };
        // What was sent since may be there, and need not.
        let cancels = now.cancels.keys().map(|key| (key.clone(), None)).collect();
        let expected = match acknowledged.get(product) {
            Some(then) if then.is_cancelled() => then.clone(),
            Some(then) => Sent { cancels, ..then.clone() },
            None => Sent { created: None, cancels, ..now.clone() },
        };
        if let Err(what) = expected.compare(order) {
            return broken(what);
        }
    }
    let is_shown = |product: &&String| shown.iter().any(|order| order.product_id == **product);
    match acknowledged.keys().find(|product| !is_shown(product)) {
        Some(lost) => broken(format!("order {lost} was acknowledged and is lost")),
        None => Ok(()),
    }
}

/// A lone node that was seen at `seen` is not behind it later.
pub(crate) fn is_ahead(known: &mut Known, seen: Offset, now: Offset) -> Result<(), Violation> {
    known.exercised.evaluated.count(Invariant::Kept);
    match now < seen {
        true => Err(Invariant::Kept.broken(format!("offset {seen} was applied, now {now}"))),
        false => Ok(()),
    }
}
