use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use order_cluster::order::{Order, Status};

use crate::{Exercised, Violation};

/// What the clients know: what they sent, what they were answered, and what they are in doubt of.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Known>);

#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Every order that was sent, by its product, which no two share.
    pub(crate) orders: BTreeMap<String, Sent>,
    pub(crate) exercised: Exercised,
    violation: Option<Violation>,
}

/// What a client knows of one order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) customer: String,
    /// As it was answered, once it was.
    pub(crate) created: Option<Order>,
    /// It was asked to be cancelled.
    pub(crate) cancel_sent: bool,
    /// As that was answered.
    pub(crate) cancelled: Option<Order>,
}

impl Ledger {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a broken promise; the first counts.
    pub(crate) fn accuse(&self, violation: Violation) {
        self.lock().violation.get_or_insert(violation);
    }

    /// The first promise that was broken.
    pub(crate) fn verdict(&self) -> Result<(), Violation> {
        self.lock().violation.clone().map_or(Ok(()), Err)
    }
}

impl Known {
    /// Compares what a node shows of a customer's orders with what was acknowledged.
    pub(crate) fn check(&self, customer: &str, shown: &[Order]) -> Result<(), Violation> {
        let mut seen = BTreeSet::new();
        for order in shown {
            let product = &order.product_id;
            if !seen.insert(product) {
                return Err(Violation::Doubled(format!("order {product} is there twice")));
            }
            let Some(sent) = self.orders.get(product) else {
                return Err(Violation::WrongAnswer(format!("nobody sent order {product}")));
            };
            sent.check(order)?;
        }
        let acknowledged = self
            .orders
            .iter()
            .filter(|(_, sent)| sent.customer == customer && sent.created.is_some());
        for (product, _) in acknowledged {
            if !seen.contains(product) {
                return Err(Violation::Lost(format!("order {product} was acknowledged")));
            }
        }
        Ok(())
    }
}

impl Sent {
    /// Compares the order as it is shown with what was acknowledged.
    pub(crate) fn check(&self, shown: &Order) -> Result<(), Violation> {
        if let Some(created) = &self.created {
            let expected = Order { status: shown.status, ..created.clone() };
            if expected != *shown {
                let what = format!("{shown:?} was acknowledged as {created:?}");
                return Err(Violation::TwoAnswers(what));
            }
        }
        match shown.status {
            Status::Created if self.cancelled.is_some() => {
                Err(Violation::Lost(format!("order {} was cancelled", shown.product_id)))
            }
            Status::Cancelled if !self.cancel_sent => {
                let what = format!("nobody cancelled order {}", shown.product_id);
                Err(Violation::WrongAnswer(what))
            }
            _ => Ok(()),
        }
    }
}
