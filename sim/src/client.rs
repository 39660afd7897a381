use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use catga::prelude::*;
use catga::{FaultCode, Outcome, Position, ReadLevel, Replied};
use catga_host::Host;
use fastrand::Rng;
use order_cluster::messages::{CancelOrder, CreateOrder, GetOrder, OrderError};
use order_cluster::order::Order;

use crate::invariants::{is_found, is_one_winner, is_own, is_read, is_the_same};
use crate::ledger::{Ledger, Sent};
use crate::tuning::Tuning;
use crate::{Invariant, Violation};

/// A node as a client reaches it.
pub(crate) trait Reach: Sync {
    /// What the node answers; none if it does not.
    fn call<T, F>(
        &self,
        ask: impl FnOnce(Node) -> F + Send,
    ) -> impl Future<Output = Option<T>> + Send
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static;

    /// Which node it is: what it has shown once, it shows from then on.
    fn place(&self) -> usize;
}

/// The only node there is.
pub(crate) struct Here<'a>(pub(crate) &'a Node);

impl Reach for Here<'_> {
    fn call<T, F>(
        &self,
        ask: impl FnOnce(Node) -> F + Send,
    ) -> impl Future<Output = Option<T>> + Send
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let asked = ask(self.0.clone());
        async move { Some(asked.await) }
    }

    fn place(&self) -> usize {
        0
    }
}

/// One client: it places orders, cancels and reads them, and asks again until it is answered.
///
/// What it is in doubt of outlives a crash of the node, as it does with a real client.
#[derive(Debug)]
pub(crate) struct Client {
    name: String,
    ledger: Arc<Ledger>,
    dice: Rng,
    /// How many orders it has placed.
    placed: u64,
    /// How many it has wanted to cancel.
    cancels: u64,
    /// Commands that were sent and not answered, with how often.
    pending: VecDeque<(Action, u32)>,
    /// Products of orders that were acknowledged.
    known: Vec<String>,
    /// Whether it asks again: where a key is forgotten soon, that could be a second order.
    asks_again: bool,
}

#[derive(Clone, Debug)]
enum Action {
    Create(String),
    /// Under a key of its own each time: of those that want to cancel an order, one does.
    Cancel {
        product: String,
        key: String,
    },
}

impl Client {
    /// Of a cluster of this `tuning`.
    pub(crate) fn new(number: u64, tuning: &Tuning, ledger: Arc<Ledger>, seed: u64) -> Self {
        Self {
            name: format!("c{number}"),
            ledger,
            dice: Rng::with_seed(seed),
            placed: 0,
            cancels: 0,
            pending: VecDeque::new(),
            known: Vec::new(),
            asks_again: tuning.key_retention.is_none(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Goes on until the node refuses for good or a promise is broken.
    pub(crate) async fn work(&mut self, node: &Node, host: &dyn Host) {
        while self.ledger.verdict().is_ok() && !self.ledger.is_closed() && node.is_running() {
            if let Err(violation) = self.step(&Here(node)).await {
                return self.ledger.accuse(violation);
            }
            self.pause(host).await;
        }
    }

    /// Waits, as a client does now and then.
    pub(crate) async fn pause(&mut self, host: &dyn Host) {
        if self.dice.u8(..) < 40 {
            host.sleep(Duration::from_millis(self.dice.u64(1..20))).await;
        }
    }

    /// Asks again for everything that is in doubt, until it is answered; gives up after a while.
    pub(crate) async fn settle(
        &mut self,
        node: &impl Reach,
        host: &dyn Host,
    ) -> Result<(), Violation> {
        self.ledger.lock().exercised.evaluated.count(Invariant::Liveness);
        for _ in 0..200 {
            let Some((action, sent)) = self.next_pending() else { return Ok(()) };
            self.act(node, action, sent).await?;
            host.sleep(Duration::from_millis(5)).await;
        }
        let what = format!("{} is not answered: {:?}", self.name, self.pending);
        Err(Invariant::Liveness.broken(what))
    }

    /// Places an order, or asks again for the one that is not answered yet; true if it is.
    pub(crate) async fn place_one(&mut self, node: &impl Reach) -> Result<bool, Violation> {
        let (action, sent) = self.next_pending().unwrap_or_else(|| {
            self.placed += 1;
            (Action::Create(format!("{}-{}", self.name, self.placed)), 0)
        });
        self.act(node, action, sent).await?;
        Ok(self.pending.is_empty())
    }

    /// Does the next thing that a client does.
    pub(crate) async fn step(&mut self, node: &impl Reach) -> Result<(), Violation> {
        if let Some((action, sent)) = self.next_pending() {
            return self.act(node, action, sent).await;
        }
        let known = self.dice.usize(0..self.known.len().max(1));
        match (self.dice.u8(0..10), self.known.get(known).cloned()) {
            (0, Some(product)) => {
                // Often another client's, who may want to cancel it as well.
                let product = match self.dice.bool() {
                    true => self.ledger.any_order(&mut self.dice).unwrap_or(product),
                    false => product,
                };
                self.cancels += 1;
                let key = format!("cancel {product} {} {}", self.name, self.cancels);
                self.act(node, Action::Cancel { product, key }, 0).await
            }
            (1, Some(product)) if self.asks_again => self.repeat(node, product).await,
            (2..=4, Some(product)) => {
                let product = match self.dice.bool() {
                    true => self.ledger.any_order(&mut self.dice).unwrap_or(product),
                    false => product,
                };
                self.read(node, &product).await
            }
            _ => {
                self.placed += 1;
                let product = format!("{}-{}", self.name, self.placed);
                self.act(node, Action::Create(product), 0).await
            }
        }
    }

    /// What it asks for again.
    fn next_pending(&mut self) -> Option<(Action, u32)> {
        if !self.asks_again {
            self.pending.clear();
        }
        self.pending.pop_front()
    }

    /// Sends a command and notes what comes of it.
    async fn act(&mut self, node: &impl Reach, action: Action, sent: u32) -> Result<(), Violation> {
        {
            // Before it is sent: from then on it may be there.
            let mut known = self.ledger.lock();
            match &action {
                Action::Create(product) => {
                    let customer = self.name.clone();
                    known
                        .orders
                        .entry(product.clone())
                        .or_insert_with(|| Sent { customer, ..Sent::default() });
                }
                Action::Cancel { product, key } => {
                    let order = known.orders.entry(product.clone()).or_default();
                    order.cancels.entry(key.clone()).or_default();
                }
            }
        }
        // In doubt until it is answered, also if this task ends before that.
        self.pending.push_back((action.clone(), sent + 1));
        self.ledger.lock().exercised.unanswered += 1;
        let deadline = Duration::from_millis(self.dice.u64(300..5_000));
        let answer = match &action {
            Action::Create(product) => self.create(node, product, deadline).await,
            Action::Cancel { product, key } => self.cancel(node, product, key, deadline).await,
        };
        let Some(replied) = answer else { return Ok(()) };
        self.ledger.lock().exercised.unanswered -= 1;
        self.answered(&action, replied, sent, node.place())
    }

    async fn create(
        &self,
        node: &impl Reach,
        product: &str,
        deadline: Duration,
    ) -> Option<Replied<Order, OrderError>> {
        let command = CreateOrder {
            product_id: product.to_owned(),
            quantity: 1 + product.len() as u32,
            customer_id: self.name.clone(),
        };
        let key = format!("create {product}");
        node.call(async move |node: Node| {
            node.send(command).key(key).deadline(deadline).reported().await
        })
        .await
    }

    async fn cancel(
        &self,
        node: &impl Reach,
        product: &str,
        key: &str,
        deadline: Duration,
    ) -> Option<Replied<Order, OrderError>> {
        let (order_id, seen) = {
            let known = self.ledger.lock();
            let sent = known.orders.get(product)?;
            (sent.created.as_ref()?.order_id, sent.seen)
        };
        let command = CancelOrder { order_id, reason: "changed my mind".to_owned() };
        let key = key.to_owned();
        node.call(async move |node: Node| {
            let sending = node.send(command).key(key).deadline(deadline);
            let sending = match seen {
                // As a client would that got the order's id from another node.
                Some(seen) => sending.after(seen),
                None => sending,
            };
            sending.reported().await
        })
        .await
    }

    fn answered(
        &mut self,
        action: &Action,
        replied: Replied<Order, OrderError>,
        sent: u32,
        place: usize,
    ) -> Result<(), Violation> {
        let mut known = self.ledger.lock();
        let (position, visible) = match replied.report {
            Some(report) => (report.position, report.visible),
            None => (None, false),
        };
        let answer = match (replied.answer, action) {
            (Err(Failure::Fault(fault)), _) => {
                known.exercised.no_room += u64::from(fault.code() == FaultCode::KeysExhausted);
                match fault.outcome() {
                    Outcome::NotExecuted => known.exercised.not_executed += 1,
                    Outcome::Unknown => known.exercised.unknown += 1,
                }
                // It stays pending.
                return Ok(());
            }
            (Ok(order), _) => Ok(order),
            (Err(Failure::Domain(OrderError::AlreadyCancelled(_))), Action::Cancel { .. }) => {
                Err(())
            }
            (Err(Failure::Domain(refusal)), _) => {
                return is_own(&mut known, action, false, &refusal);
            }
        };
        self.pending.pop_back();
        known.exercised.acknowledged += 1;
        known.exercised.settled += u64::from(sent > 0);
        known.exercised.refused += u64::from(answer.is_err());
        let (Action::Create(product) | Action::Cancel { product, .. }) = action;
        let names_it = answer.as_ref().is_ok_and(|order| order.product_id == *product);
        is_own(&mut known, action, names_it || answer.is_err(), &answer)?;
        let entry = known.orders.entry(product.clone()).or_default();
        entry.seen = entry.seen.max(position);
        let first = match action {
            Action::Create(_) => {
                if visible {
                    entry.shown_at.insert(place);
                }
                let before = answer.clone().ok().and_then(|order| entry.created.replace(order));
                is_the_same(&mut known, action, before.map(Ok).as_ref(), &answer)?
            }
            Action::Cancel { key, .. } => {
                if visible {
                    entry.cancel_shown_at.insert(place);
                }
                let before = entry.cancels.insert(key.clone(), Some(answer.clone().ok()));
                let before = before.flatten().map(|before| before.ok_or(()));
                let first = is_the_same(&mut known, action, before.as_ref(), &answer)?;
                is_one_winner(&mut known, product)?;
                first
            }
        };
        if first && matches!(action, Action::Create(_)) {
            self.known.push(product.clone());
        }
        Ok(())
    }

    /// Sends a command again that was answered: it must hear the same.
    async fn repeat(&mut self, node: &impl Reach, product: String) -> Result<(), Violation> {
        let key = {
            let mut known = self.ledger.lock();
            known.exercised.repeated += 1;
            known.orders.get(&product).and_then(|sent| {
                let answered = sent.cancels.iter().filter(|(_, answer)| answer.is_some());
                let all: Vec<_> = answered.map(|(key, _)| key.clone()).collect();
                self.dice.choice(all)
            })
        };
        let action = match key {
            Some(key) if self.dice.bool() => Action::Cancel { product, key },
            _ => Action::Create(product),
        };
        self.act(node, action, 0).await
    }

    /// Reads an order as this client may expect it: a node that has shown it shows it, every node
    /// shows it to whoever has seen its position, and to whoever wants all that is acknowledged.
    async fn read(&mut self, node: &impl Reach, product: &str) -> Result<(), Violation> {
        let (order_id, sent) = {
            let known = self.ledger.lock();
            let sent = known.orders.get(product).cloned().unwrap_or_default();
            let Some(created) = &sent.created else { return Ok(()) };
            (created.order_id, sent)
        };
        let here = sent.shown_at.contains(&node.place());
        let (level, seen) = match (self.dice.u8(0..3), here, sent.seen) {
            (0, true, _) => (ReadLevel::Local, None),
            (0 | 1, _, Some(seen)) => (ReadLevel::Local, Some(seen)),
            _ => (ReadLevel::Linearizable, None),
        };
        // A node that has only shown the order need not know of its cancellation yet.
        let mut expected = match (level, seen) {
            (ReadLevel::Local, None) => sent.shown_by(node.place()),
            _ => sent,
        };
        let answer =
            node.call(async move |node: Node| asked(&node, order_id, level, seen).await).await;
        match answer {
            None | Some(Err(Failure::Fault(_))) => Ok(()),
            Some(Ok(order)) => {
                let mut known = self.ledger.lock();
                known.exercised.read(level, seen);
                if !expected.is_cancelled() {
                    // Somebody may have asked for that since.
                    let now = known.orders.get(product).cloned().unwrap_or_default();
                    expected.cancels = now.cancels.into_keys().map(|key| (key, None)).collect();
                }
                is_read(&mut known, &expected, &order)
            }
            Some(Err(Failure::Domain(refusal))) => {
                Err(is_found(&mut self.ledger.lock(), product, level, refusal))
            }
        }
    }
}

async fn asked(
    node: &Node,
    order_id: order_cluster::messages::OrderId,
    level: ReadLevel,
    seen: Option<Position>,
) -> Answer<Order, OrderError> {
    let asking = node.ask(GetOrder { order_id }).level(level);
    match seen {
        Some(seen) => asking.after(seen).await,
        None => asking.await,
    }
}
