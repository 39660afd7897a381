//! A service in one thread that keeps every promise, with clients who work at the same time.

use std::collections::HashMap;

use catga_check::{
    Action, Case, Event, History, Journal, Level, Operation, Outcome, Record, Refusal, Reply,
    Shown, Status,
};
use catga_core::{Offset, Position};
use fastrand::Rng;
use serde_json::json;

pub(crate) const NODES: usize = 3;
const INCARNATION: u64 = 0xca;

/// A position of these histories.
pub(crate) fn position(offset: u64) -> Position {
    Position { incarnation: INCARNATION, partition: 0, offset: Offset(offset) }
}

/// What one client is at.
enum At {
    Rest,
    /// It has sent a request, which the service has not done yet.
    Sent(Operation),
    /// The service has done it, and the client has not heard.
    Done(Operation),
}

/// The service, its nodes and its clients.
pub(crate) struct Shop {
    dice: Rng,
    now: u64,
    next: u64,
    clients: Vec<At>,
    /// Requests whose clients gave up, and that may still be done.
    late: Vec<Operation>,
    history: History,
    records: Vec<Record>,
    orders: HashMap<String, Shown>,
    /// The offsets at which an order was placed and cancelled.
    lives: HashMap<String, (u64, Option<u64>)>,
    /// What was answered under each key.
    keys: HashMap<String, (Outcome, u64)>,
    /// Commands with a key that were sent, to be sent again.
    sent: Vec<Operation>,
    /// Orders whose ids are known, with their ids.
    known: Vec<(String, String)>,
    /// How far each node is.
    nodes: [u64; NODES],
}

/// The history of `steps` steps, and what the nodes have recorded.
pub(crate) fn shop(seed: u64, clients: usize, steps: usize) -> Case {
    let mut shop = Shop::new(seed, clients);
    for _ in 0..steps {
        shop.step();
    }
    shop.close()
}

impl Shop {
    fn new(seed: u64, clients: usize) -> Self {
        Self {
            dice: Rng::with_seed(seed),
            now: 0,
            next: 1,
            clients: (0..clients).map(|_| At::Rest).collect(),
            late: Vec::new(),
            history: History::default(),
            records: Vec::new(),
            orders: HashMap::new(),
            lives: HashMap::new(),
            keys: HashMap::new(),
            sent: Vec::new(),
            known: Vec::new(),
            nodes: [0; NODES],
        }
    }

    fn step(&mut self) {
        self.now += 1;
        let node = self.dice.usize(..NODES);
        if self.dice.bool() {
            self.nodes[node] = self.dice.u64(self.nodes[node]..=self.records.len() as u64);
        }
        if !self.late.is_empty() && self.dice.u8(..10) == 0 {
            let at = self.dice.usize(..self.late.len());
            let mut late = self.late.swap_remove(at);
            self.perform(&mut late);
        }
        let client = self.dice.usize(..self.clients.len());
        self.clients[client] = match std::mem::replace(&mut self.clients[client], At::Rest) {
            At::Rest => At::Sent(self.send(client)),
            At::Sent(operation) if self.dice.u8(..25) == 0 => self.give_up(operation, true),
            At::Sent(operation) if self.dice.u8(..40) == 0 => {
                self.hear(Operation { outcome: Outcome::NotExecuted, ..operation })
            }
            At::Sent(mut operation) => {
                self.perform(&mut operation);
                At::Done(operation)
            }
            At::Done(operation) if self.dice.u8(..25) == 0 => self.give_up(operation, false),
            At::Done(operation) => self.hear(operation),
        };
    }

    fn send(&mut self, client: usize) -> Operation {
        let number = self.next;
        self.next += 1;
        let (mut key, mut attempt) = (Some(format!("key-{number}")), 1);
        let known = self.dice.choice(&self.known).cloned();
        let (order, action) = match (self.dice.u8(..20), known) {
            (0, _) if !self.sent.is_empty() => {
                // Somebody sends it again, the same client or another.
                let again = self.dice.choice(&self.sent).expect("there is one").clone();
                (key, attempt) = (again.key, again.attempt + 1);
                (again.order, again.action)
            }
            (1..=3, Some((order, id))) => {
                (order, Action::Cancel { id, reason: format!("reason {number}") })
            }
            (4..=14, Some((order, id))) => {
                key = None;
                let (level, token) = match self.dice.u8(..3) {
                    0 => (Level::Local, None),
                    1 => (Level::Linearizable, None),
                    _ => {
                        let seen = self.dice.u64(..=self.records.len() as u64);
                        (Level::Session, Some(position(seen)))
                    }
                };
                (order, Action::Get { id, level, token })
            }
            _ => {
                if self.dice.u8(..4) == 0 {
                    key = None;
                }
                let customer = format!("customer-{}", number % 5);
                let quantity = self.dice.u32(1..10);
                (format!("product-{number}"), Action::Create { customer, quantity })
            }
        };
        let operation = Operation {
            number,
            client: client as u32,
            node: self.dice.u32(..NODES as u32),
            invoked: self.now,
            returned: u64::MAX,
            order,
            action,
            key,
            attempt,
            outcome: Outcome::Unknown,
            position: None,
            visible: true,
        };
        if operation.key.is_some() {
            self.sent.push(operation.clone());
        }
        operation
    }

    /// The client hears no more of it; if it was not done yet, it may be done later.
    fn give_up(&mut self, operation: Operation, may_come: bool) -> At {
        if may_come {
            self.late.push(operation.clone());
        }
        let unheard = Operation {
            outcome: Outcome::Unknown,
            position: None,
            visible: true,
            returned: self.now,
            ..operation
        };
        self.history.push(unheard);
        At::Rest
    }

    fn hear(&mut self, operation: Operation) -> At {
        if let Some(shown) = operation.shown()
            && !self.known.iter().any(|(order, _)| *order == operation.order)
        {
            self.known.push((operation.order.clone(), shown.order_id.clone()));
        }
        self.history.push(Operation { returned: self.now, ..operation });
        At::Rest
    }

    /// Does what is asked, at this moment.
    fn perform(&mut self, operation: &mut Operation) {
        let (outcome, at) = match operation.action.clone() {
            Action::Get { id, level, token } => self.read(operation, &id, level, token),
            Action::List { .. } => unreachable!("lists come at the end"),
            Action::Create { .. } | Action::Cancel { .. } => self.command(operation),
        };
        let node = &mut self.nodes[operation.node as usize];
        if operation.is_command() {
            // Its own node shows it before it is answered, or says that it does not yet.
            operation.visible = self.dice.u8(..10) > 0;
            if operation.visible {
                *node = at.max(*node);
            }
        }
        (operation.outcome, operation.position) = (outcome, Some(position(at)));
    }

    fn command(&mut self, operation: &Operation) -> (Outcome, u64) {
        let key = operation.key.clone().unwrap_or_else(|| format!("no key {}", operation.number));
        if let Some(answered) = self.keys.get(&key) {
            return answered.clone();
        }
        let offset = self.records.len() as u64 + 1;
        let order = &operation.order;
        let event = |name: &str, version, data| Event {
            stream: order.clone(),
            version,
            name: name.to_owned(),
            data,
        };
        let (outcome, events) = match &operation.action {
            Action::Create { customer, quantity } => {
                let shown = Shown {
                    order_id: format!("id-{offset}"),
                    status: Status::Created,
                    product_id: order.clone(),
                    quantity: *quantity,
                    customer_id: customer.clone(),
                    created_at: format!("at {}", self.now),
                };
                self.orders.insert(order.clone(), shown.clone());
                self.lives.insert(order.clone(), (offset, None));
                let data = json!({
                    "product_id": order, "quantity": quantity, "customer_id": customer,
                });
                (Outcome::Ok(Reply::Order(shown)), vec![event("order.created", 1, data)])
            }
            Action::Cancel { id, reason } => {
                let life = self.lives.get_mut(order).expect("its id is known, so it was placed");
                let shown = self.orders.get_mut(order).expect("the same");
                match life.1 {
                    Some(_) => {
                        let detail = format!("order {id} is cancelled already");
                        let code = Refusal::CANCELLED.to_owned();
                        (Outcome::Refused(Refusal { code, detail }), Vec::new())
                    }
                    None => {
                        life.1 = Some(offset);
                        shown.status = Status::Cancelled;
                        let data = json!({ "reason": reason });
                        let event = event("order.cancelled", 2, data);
                        (Outcome::Ok(Reply::Order(shown.clone())), vec![event])
                    }
                }
            }
            _ => unreachable!("only commands are done"),
        };
        let (answered, answer) = match &outcome {
            Outcome::Ok(Reply::Order(shown)) => {
                ("reply", json!({ "orderId": shown.order_id.replace('-', "") }))
            }
            _ => {
                let id = &self.orders[order].order_id;
                ("refusal", json!({ "AlreadyCancelled": id.replace('-', "") }))
            }
        };
        self.records.push(Record {
            offset,
            id: format!("1.{}", operation.number),
            at: "then".to_owned(),
            answered: answered.to_owned(),
            answer,
            events,
        });
        self.keys.insert(key, (outcome.clone(), offset));
        (outcome, offset)
    }

    fn read(
        &mut self,
        operation: &Operation,
        id: &str,
        level: Level,
        token: Option<Position>,
    ) -> (Outcome, u64) {
        let must = match level {
            Level::Local => 0,
            Level::Session => token.map_or(0, |token| token.offset.0),
            Level::Linearizable => self.records.len() as u64,
        };
        let node = &mut self.nodes[operation.node as usize];
        *node = must.max(*node);
        let at = *node;
        let (created, cancelled) = self.lives[&operation.order];
        if created > at {
            let (code, detail) = (Refusal::NOT_FOUND.to_owned(), format!("no order {id}"));
            return (Outcome::Refused(Refusal { code, detail }), at);
        }
        let is_cancelled = cancelled.is_some_and(|cancelled| cancelled <= at);
        let status = if is_cancelled { Status::Cancelled } else { Status::Created };
        let shown = Shown { status, ..self.orders[&operation.order].clone() };
        (Outcome::Ok(Reply::Order(shown)), at)
    }

    /// Nothing is sent any more; every node lists the orders of each customer.
    fn close(mut self) -> Case {
        for client in std::mem::take(&mut self.clients) {
            match client {
                At::Rest => {}
                At::Sent(operation) => drop(self.give_up(operation, true)),
                At::Done(operation) => drop(self.hear(operation)),
            }
        }
        let head = position(self.records.len() as u64);
        for node in 0..NODES as u32 {
            for customer in (0..5).map(|number| format!("customer-{number}")) {
                self.now += 2;
                let number = self.next;
                self.next += 1;
                let own = self.orders.values().filter(|order| order.customer_id == customer);
                let mut orders: Vec<_> = own.cloned().collect();
                orders.sort_by_key(|order| self.lives[&order.product_id].0);
                self.history.push(Operation {
                    number,
                    client: u32::MAX,
                    node,
                    invoked: self.now,
                    returned: self.now + 1,
                    order: String::new(),
                    action: Action::List { customer },
                    key: None,
                    attempt: 1,
                    outcome: Outcome::Ok(Reply::Orders(orders)),
                    position: Some(head),
                    visible: true,
                });
            }
        }
        let journal =
            |number| Journal { node: format!("node{}", number + 1), records: self.records.clone() };
        let journals = (0..NODES).map(journal).collect();
        Case { history: self.history, journals, restored: Vec::new() }
    }
}
