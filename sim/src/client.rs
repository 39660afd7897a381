use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use catga::Outcome;
use catga::prelude::*;
use catga_host::Host;
use fastrand::Rng;
use order_cluster::messages::{CancelOrder, CreateOrder, GetOrder, OrderError};
use order_cluster::order::Order;

use crate::Violation;
use crate::ledger::{Ledger, Sent};

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
    /// Commands that were sent and not answered, with how often.
    pending: VecDeque<(Action, u32)>,
    /// Products of orders that were acknowledged.
    known: Vec<String>,
}

#[derive(Clone, Debug)]
enum Action {
    Create(String),
    Cancel(String),
}

impl Client {
    pub(crate) fn new(number: u64, ledger: Arc<Ledger>, seed: u64) -> Self {
        Self {
            name: format!("c{number}"),
            ledger,
            dice: Rng::with_seed(seed),
            placed: 0,
            pending: VecDeque::new(),
            known: Vec::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Goes on until the node refuses for good or a promise is broken.
    pub(crate) async fn work(&mut self, node: &Node, host: &dyn Host) {
        while self.ledger.verdict().is_ok() && node.is_running() {
            if let Err(violation) = self.step(node).await {
                return self.ledger.accuse(violation);
            }
            if self.dice.u8(..) < 40 {
                host.sleep(Duration::from_millis(self.dice.u64(1..20))).await;
            }
        }
    }

    /// Asks again for everything that is in doubt, until it is answered; gives up after a while.
    pub(crate) async fn settle(&mut self, node: &Node, host: &dyn Host) -> Result<(), Violation> {
        for _ in 0..200 {
            let Some((action, sent)) = self.pending.pop_front() else { return Ok(()) };
            self.act(node, action, sent).await?;
            host.sleep(Duration::from_millis(5)).await;
        }
        Err(Violation::NotServing(format!("{} is not answered: {:?}", self.name, self.pending)))
    }

    async fn step(&mut self, node: &Node) -> Result<(), Violation> {
        if let Some((action, sent)) = self.pending.pop_front() {
            return self.act(node, action, sent).await;
        }
        let known = self.dice.usize(0..self.known.len().max(1));
        match (self.dice.u8(0..10), self.known.get(known).cloned()) {
            (0, Some(product)) => self.act(node, Action::Cancel(product), 0).await,
            (1, Some(product)) => self.repeat(node, product).await,
            (2..=4, Some(product)) => self.read(node, &product).await,
            _ => {
                self.placed += 1;
                let product = format!("{}-{}", self.name, self.placed);
                self.act(node, Action::Create(product), 0).await
            }
        }
    }

    /// Sends a command and notes what comes of it.
    async fn act(&mut self, node: &Node, action: Action, sent: u32) -> Result<(), Violation> {
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
                Action::Cancel(product) => {
                    known.orders.entry(product.clone()).or_default().cancel_sent = true;
                }
            }
        }
        // In doubt until it is answered, also if this task ends before that.
        self.pending.push_back((action.clone(), sent + 1));
        let answer = match &action {
            Action::Create(product) => self.create(node, product).await,
            Action::Cancel(product) => self.cancel(node, product).await,
        };
        self.answered(&action, answer, sent)
    }

    async fn create(&self, node: &Node, product: &str) -> Answer<Order, OrderError> {
        let command = CreateOrder {
            product_id: product.to_owned(),
            quantity: 1 + product.len() as u32,
            customer_id: self.name.clone(),
        };
        node.send(command).key(format!("create {product}")).await
    }

    async fn cancel(&self, node: &Node, product: &str) -> Answer<Order, OrderError> {
        let order_id = {
            let known = self.ledger.lock();
            known.orders.get(product).and_then(|sent| sent.created.as_ref()).map(|it| it.order_id)
        };
        let Some(order_id) = order_id else {
            return Err(Fault::internal("a client cancels what it knows").into());
        };
        let command = CancelOrder { order_id, reason: "changed my mind".to_owned() };
        node.send(command).key(format!("cancel {product}")).await
    }

    fn answered(
        &mut self,
        action: &Action,
        answer: Answer<Order, OrderError>,
        sent: u32,
    ) -> Result<(), Violation> {
        let mut known = self.ledger.lock();
        let order = match answer {
            Ok(order) => order,
            Err(Failure::Fault(fault)) => {
                match fault.outcome() {
                    Outcome::NotExecuted => known.exercised.not_executed += 1,
                    Outcome::Unknown => known.exercised.unknown += 1,
                }
                // It stays pending.
                return Ok(());
            }
            Err(Failure::Domain(refusal)) => {
                return Err(Violation::WrongAnswer(format!("{action:?} was refused: {refusal}")));
            }
        };
        self.pending.pop_back();
        known.exercised.acknowledged += 1;
        known.exercised.settled += u64::from(sent > 0);
        let (Action::Create(product) | Action::Cancel(product)) = action;
        if order.product_id != *product {
            return Err(Violation::WrongAnswer(format!("{action:?} was answered {order:?}")));
        }
        let entry = known.orders.entry(product.clone()).or_default();
        let before = match action {
            Action::Create(_) => entry.created.replace(order.clone()),
            Action::Cancel(_) => entry.cancelled.replace(order.clone()),
        };
        match before {
            Some(before) if before != order => {
                let what = format!("{action:?} was answered {before:?}, then {order:?}");
                Err(Violation::TwoAnswers(what))
            }
            None if matches!(action, Action::Create(_)) => {
                self.known.push(product.clone());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Sends a command again that was answered: it must hear the same.
    async fn repeat(&mut self, node: &Node, product: String) -> Result<(), Violation> {
        let cancelled = {
            let mut known = self.ledger.lock();
            known.exercised.repeated += 1;
            known.orders.get(&product).is_some_and(|sent| sent.cancelled.is_some())
        };
        let action = match cancelled && self.dice.bool() {
            true => Action::Cancel(product),
            false => Action::Create(product),
        };
        self.act(node, action, 0).await
    }

    /// Reads an order: this node has acknowledged it, so it shows it.
    async fn read(&self, node: &Node, product: &str) -> Result<(), Violation> {
        let (order_id, sent) = {
            let known = self.ledger.lock();
            let sent = known.orders.get(product).cloned().unwrap_or_default();
            let Some(created) = &sent.created else { return Ok(()) };
            (created.order_id, sent)
        };
        match node.ask(GetOrder { order_id }).await {
            Ok(order) => {
                self.ledger.lock().exercised.reads += 1;
                sent.check(&order)
            }
            Err(Failure::Domain(refusal)) => {
                Err(Violation::Lost(format!("order {product} was acknowledged: {refusal}")))
            }
            Err(Failure::Fault(_)) => Ok(()),
        }
    }
}
