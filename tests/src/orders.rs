//! An order domain as a user would write it, with a few odd commands to make trouble.

use std::collections::HashMap;

use catga::ReadLevel;
use catga::prelude::*;

/// An order's id.
#[derive(Id, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(Uuid);

/// Places an order.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "order.create", reply = Order, error = OrderError)]
pub struct CreateOrder {
    /// What.
    pub product: String,
    /// How many.
    pub quantity: u32,
    /// Who.
    pub customer: String,
}

impl CreateOrder {
    /// One product for a customer.
    pub fn for_customer(customer: &str) -> Self {
        Self { product: "PROD-001".into(), quantity: 1, customer: customer.into() }
    }
}

/// Places an order under an id of the caller's.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "order.import", reply = (), error = OrderError)]
pub struct ImportOrder {
    /// Which.
    pub id: OrderId,
}

/// Cancels an order.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "order.cancel", reply = Order, error = OrderError)]
pub struct CancelOrder {
    /// Which.
    pub id: OrderId,
}

/// Reads an order.
#[derive(Query, Clone, Debug, Serialize, Deserialize)]
#[query(name = "order.get", reply = Order, error = OrderError)]
pub struct GetOrder {
    /// Which.
    pub id: OrderId,
}

/// Reads how many orders a customer has.
#[derive(Query, Clone, Debug, Serialize, Deserialize)]
#[query(name = "order.count", reply = usize)]
pub struct CountOrders {
    /// Whose.
    pub customer: String,
}

/// Places a customer's only order: refuses if the book shows one.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "order.create-only", reply = Order, error = OrderError)]
pub struct CreateOnlyOrder {
    /// Who.
    pub customer: String,
}

/// An order was placed.
#[derive(Event, Clone, Debug, Serialize, Deserialize)]
#[event(name = "order.created", stream = Order, key = id, tag = customer)]
pub struct OrderCreated {
    /// Which.
    pub id: OrderId,
    /// Who.
    pub customer: String,
}

/// An order was cancelled.
#[derive(Event, Clone, Debug, Serialize, Deserialize)]
#[event(name = "order.cancelled", stream = Order, key = id)]
pub struct OrderCancelled {
    /// Which.
    pub id: OrderId,
}

/// The state of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Which.
    pub id: OrderId,
    /// Who.
    pub customer: String,
    /// Whether it stands.
    pub cancelled: bool,
}

#[aggregate(name = "order")]
impl Order {
    fn created(event: &OrderCreated) -> Self {
        Self { id: event.id, customer: event.customer.clone(), cancelled: false }
    }

    fn cancelled(&mut self, _event: &OrderCancelled) {
        self.cancelled = true;
    }
}

/// Why an order command is refused.
#[derive(
    DomainError, Clone, Debug, PartialEq, thiserror::Error, serde::Serialize, serde::Deserialize,
)]
pub enum OrderError {
    /// No such order.
    #[error("no order {0}")]
    #[refusal(code = "order.not-found", kind = NotFound)]
    NotFound(OrderId),
    /// It was cancelled.
    #[error("order {0} is cancelled")]
    Cancelled(OrderId),
    /// The customer has one.
    #[error("the customer has an order")]
    HasOne,
}

/// The read model.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct OrderBook {
    orders: HashMap<OrderId, Order>,
    by_customer: HashMap<String, usize>,
}

#[projection(name = "orders", version = 1)]
impl OrderBook {
    fn created(&mut self, event: &OrderCreated) {
        *self.by_customer.entry(event.customer.clone()).or_default() += 1;
        self.orders.insert(event.id, Order::created(event));
    }

    fn cancelled(&mut self, event: &OrderCancelled) {
        if let Some(order) = self.orders.get_mut(&event.id) {
            order.cancelled = true;
        }
    }
}

impl OrderBook {
    /// How many orders the customer has.
    pub fn count(&self, customer: &str) -> usize {
        self.by_customer.get(customer).copied().unwrap_or_default()
    }
}

/// The service.
#[derive(Debug)]
pub struct Orders {
    /// Its read model.
    pub book: View<OrderBook>,
}

#[service]
impl Orders {
    async fn create(&self, cmd: CreateOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        Ok(tx.create(OrderCreated { id: tx.new_id(), customer: cmd.customer })?.into_state())
    }

    async fn import(&self, cmd: ImportOrder, tx: &mut Tx) -> Answer<(), OrderError> {
        tx.emit(OrderCreated { id: cmd.id, customer: "imported".into() });
        Ok(())
    }

    async fn cancel(&self, cmd: CancelOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let mut order = tx.load::<Order>(&cmd.id).await?.ok_or(OrderError::NotFound(cmd.id))?;
        // Others run here, so that two cancels really decide from the same state.
        tokio::task::yield_now().await;
        if order.cancelled {
            return Err(OrderError::Cancelled(cmd.id).into());
        }
        order.emit(OrderCancelled { id: cmd.id });
        Ok(order.into_state())
    }

    async fn create_only(&self, cmd: CreateOnlyOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        tx.require(Tag::new("customer", &cmd.customer));
        if self.book.read(|book| book.count(&cmd.customer))? > 0 {
            return Err(OrderError::HasOne.into());
        }
        tokio::task::yield_now().await;
        Ok(tx.create(OrderCreated { id: tx.new_id(), customer: cmd.customer })?.into_state())
    }

    async fn get(&self, query: GetOrder) -> Answer<Order, OrderError> {
        self.book
            .with(|book| book.orders.get(&query.id).cloned().ok_or(OrderError::NotFound(query.id)))
    }

    async fn count(&self, query: CountOrders) -> Answer<usize> {
        Ok(self.book.read(|book| book.count(&query.customer))?)
    }
}

/// A node with the order service, in memory.
pub async fn start() -> Node {
    let started = Catga::builder().service(|n| Orders { book: n.projection() }).start().await;
    started.expect("an order service starts")
}

/// Places an order on `node`.
///
/// # Panics
/// If it is not placed.
pub async fn order(node: &Node, customer: &str) {
    let placed = node.send(CreateOrder::for_customer(customer)).await;
    placed.expect("an order is placed");
}

/// How many orders of `customer` there are, asked of `node`: all that were acknowledged.
///
/// # Panics
/// If it does not answer.
pub async fn count(node: &Node, customer: &str) -> usize {
    let count = CountOrders { customer: customer.to_owned() };
    node.ask(count).level(ReadLevel::Linearizable).await.expect("a node answers")
}
