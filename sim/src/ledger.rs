use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use catga::Position;
use fastrand::Rng;
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
    /// Nothing new is sent any more.
    closed: bool,
}

/// What the clients know of one order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) customer: String,
    /// As it was answered, once it was.
    pub(crate) created: Option<Order>,
    /// Everything that asked for its cancellation, by key, and as it was answered: a refusal
    /// because it was cancelled before is none.
    pub(crate) cancels: BTreeMap<String, Option<Option<Order>>>,
    /// The newest position that its clients have seen of it.
    pub(crate) seen: Option<Position>,
    /// The nodes that said that they show it.
    pub(crate) shown_at: BTreeSet<usize>,
    /// Those that said so of its cancellation.
    pub(crate) cancel_shown_at: BTreeSet<usize>,
}

impl Ledger {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a broken promise; the first counts.
    pub(crate) fn accuse(&self, violation: Violation) {
        self.lock().violation.get_or_insert(violation);
    }

    /// Sends the clients home.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    /// True if the clients go home.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// An order that was acknowledged, whoever placed it.
    pub(crate) fn any_order(&self, dice: &mut Rng) -> Option<String> {
        let known = self.lock();
        let created = known.orders.iter().filter(|(_, sent)| sent.created.is_some());
        // Of the last ones, which others work on too.
        let products: Vec<_> = created.map(|(product, _)| product.clone()).collect();
        dice.choice(products)
    }

    /// The first promise that was broken.
    pub(crate) fn verdict(&self) -> Result<(), Violation> {
        self.lock().violation.clone().map_or(Ok(()), Err)
    }
}

impl Known {
    /// What was acknowledged to a customer until now.
    pub(crate) fn acknowledged(&self, customer: &str) -> BTreeMap<String, Sent> {
        let own = |sent: &Sent| sent.customer == customer && sent.created.is_some();
        let acknowledged = self.orders.iter().filter(|(_, sent)| own(sent));
        acknowledged.map(|(product, sent)| (product.clone(), sent.clone())).collect()
    }

    /// Compares what a node shows of a customer's orders with what was acknowledged before it was
    /// asked.
    pub(crate) fn check(
        &self,
        acknowledged: &BTreeMap<String, Sent>,
        shown: &[Order],
    ) -> Result<(), Violation> {
        let mut seen = BTreeSet::new();
        for order in shown {
            let product = &order.product_id;
            if !seen.insert(product) {
                return Err(Violation::Doubled(format!("order {product} is there twice")));
            }
            let Some(now) = self.orders.get(product) else {
                return Err(Violation::WrongAnswer(format!("nobody sent order {product}")));
            };
            // What was sent since may be there, and need not.
            let then = acknowledged.get(product);
            let cancels = now.cancels.keys().map(|key| (key.clone(), None)).collect();
            match then {
                Some(then) if then.is_cancelled() => then.check(order)?,
                Some(then) => Sent { cancels, ..then.clone() }.check(order)?,
                None => Sent { created: None, cancels, ..now.clone() }.check(order)?,
            }
        }
        match acknowledged.keys().find(|product| !seen.contains(product)) {
            Some(lost) => Err(Violation::Lost(format!("order {lost} was acknowledged"))),
            None => Ok(()),
        }
    }
}

impl Sent {
    /// True if somebody heard that it is cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancels.values().any(Option::is_some)
    }

    /// What a node must show of it that has shown it before, and not necessarily more.
    pub(crate) fn shown_by(&self, place: usize) -> Self {
        let mut this = self.clone();
        if !this.cancel_shown_at.contains(&place) {
            for answer in this.cancels.values_mut() {
                *answer = None;
            }
        }
        this
    }

    /// One of those who wanted to cancel the order did, and the others were refused (I11).
    pub(crate) fn check_cancels(&self, product: &str) -> Result<(), Violation> {
        let cancelled = self.cancels.iter().filter(|(_, answer)| matches!(answer, Some(Some(_))));
        let cancelled: Vec<_> = cancelled.map(|(key, _)| key).collect();
        let refused = self.cancels.values().any(|answer| matches!(answer, Some(None)));
        if cancelled.len() > 1 {
            return Err(Violation::Doubled(format!(
                "order {product} was cancelled by {cancelled:?}"
            )));
        }
        if refused && self.cancels.len() == 1 {
            let what = format!("order {product} was said to be cancelled, and nobody else asked");
            return Err(Violation::WrongAnswer(what));
        }
        Ok(())
    }

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
            Status::Created if self.is_cancelled() => {
                Err(Violation::Lost(format!("order {} was cancelled", shown.product_id)))
            }
            Status::Cancelled if self.cancels.is_empty() => {
                let what = format!("nobody cancelled order {}", shown.product_id);
                Err(Violation::WrongAnswer(what))
            }
            _ => Ok(()),
        }
    }
}
