use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use catga::Position;
use catga_testkit::Trace;
use fastrand::Rng;
use order_cluster::order::{Order, Status};

use crate::run::VIOLATION;
use crate::{Exercised, Violation};

/// What the clients know: what they sent, what they were answered, and what they are in doubt of.
#[derive(Debug)]
pub(crate) struct Ledger {
    known: Mutex<Known>,
    /// Where a violation is noted.
    trace: Trace,
}

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
    pub(crate) fn new(trace: Trace) -> Self {
        Self { known: Mutex::default(), trace }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a broken promise; the first counts.
    pub(crate) fn accuse(&self, violation: Violation) {
        let known = &mut *self.lock();
        if known.violation.is_none() {
            self.trace.note(VIOLATION);
            known.violation = Some(violation);
        }
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

    /// Compares the order as it is shown with what was acknowledged; how it differs, if it does.
    pub(crate) fn compare(&self, shown: &Order) -> Result<(), String> {
        if let Some(created) = &self.created {
            let expected = Order { status: shown.status, ..created.clone() };
            if expected != *shown {
                return Err(format!("{shown:?} was acknowledged as {created:?}"));
            }
        }
        match shown.status {
            Status::Created if self.is_cancelled() => {
                Err(format!("order {} was cancelled, and is not", shown.product_id))
            }
            Status::Cancelled if self.cancels.is_empty() => {
                Err(format!("nobody cancelled order {}", shown.product_id))
            }
            _ => Ok(()),
        }
    }
}
