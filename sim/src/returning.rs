use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use catga::prelude::*;
use catga_host::Host;
use fastrand::Rng;
use order_cluster::messages::{CreateOrder, OrderId};

use crate::client::Reach;
use crate::invariants::is_remembered;
use crate::ledger::Ledger;
use crate::{Invariant, Violation};

/// How many keys it comes back to at once, and for how many retentions to each.
const KEYS: usize = 6;
const RETENTIONS: u32 = 3;

/// A client that asks for the same again and again, in time and long after its key was forgotten: then
/// it gets another order.
#[derive(Debug)]
pub(crate) struct Returning {
    ledger: Arc<Ledger>,
    retention: Duration,
    dice: Rng,
    keys: Vec<Used>,
    /// How many keys it has used.
    used: u64,
}

/// A key, and what came of it.
#[derive(Debug)]
struct Used {
    product: String,
    since: Duration,
    orders: BTreeSet<OrderId>,
}

impl Returning {
    pub(crate) fn new(ledger: Arc<Ledger>, retention: Duration, seed: u64) -> Self {
        Self { ledger, retention, dice: Rng::with_seed(seed), keys: Vec::new(), used: 0 }
    }

    /// Waits: it asks a few times in each retention.
    pub(crate) async fn pause(&mut self, host: &dyn Host) {
        let most = self.retention.as_millis() as u64 / 4;
        host.sleep(Duration::from_millis(self.dice.u64(1..most))).await;
    }

    /// Asks for an order, mostly under a key that it has used before.
    pub(crate) async fn step(
        &mut self,
        node: &impl Reach,
        host: &dyn Host,
    ) -> Result<(), Violation> {
        let (now, kept) = (host.now(), self.retention * RETENTIONS);
        self.keys.retain(|key| now < key.since + kept);
        if self.keys.len() < KEYS {
            self.used += 1;
            let product = format!("late-{}", self.used);
            self.keys.push(Used { product, since: now, orders: BTreeSet::new() });
        }
        let key = self.dice.usize(..self.keys.len());
        let product = self.keys[key].product.clone();
        let command = CreateOrder {
            product_id: product.clone(),
            quantity: 1,
            customer_id: "late".to_owned(),
        };
        let key = &mut self.keys[key];
        let deadline = Duration::from_millis(self.dice.u64(300..3_000));
        let answer = node
            .call(async move |node: Node| node.send(command).key(product).deadline(deadline).await);
        let order = match answer.await {
            // In doubt, until it comes back.
            None | Some(Err(Failure::Fault(_))) => return Ok(()),
            Some(Ok(order)) if order.product_id == key.product => order,
            Some(other) => {
                let what = format!("an order for {} was answered {other:?}", key.product);
                return Err(Invariant::Replies.broken(what));
            }
        };
        key.orders.insert(order.order_id);
        let (count, since) = (key.orders.len() as u32, host.now() - key.since);
        is_remembered(&mut self.ledger.lock(), &key.product, count, since, self.retention)
    }
}
