//! An order domain as a user would write it, with a few odd commands to make trouble.

use std::collections::HashMap;

use catga::prelude::*;

#[derive(Id, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct OrderId(Uuid);

pub(crate) fn order_id(number: u128) -> OrderId {
    Uuid::from_u128(number).into()
}

#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "order.create", reply = Order, error = OrderError, check = check_order)]
pub(crate) struct CreateOrder {
    pub(crate) customer: String,
}

fn check_order(order: &CreateOrder, faults: &mut FieldFaults) {
    faults.require(!order.customer.is_empty(), "customer", "must not be empty");
}

/// Emits to a stream without loading it.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "order.import", reply = (), error = OrderError)]
pub(crate) struct ImportOrder {
    pub(crate) id: OrderId,
}

#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "order.cancel", reply = Order, error = OrderError)]
pub(crate) struct CancelOrder {
    pub(crate) id: OrderId,
    pub(crate) reason: String,
}

/// Refuses if the book shows that the customer has an order.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "order.create-only", reply = Order, error = OrderError)]
pub(crate) struct CreateOnlyOrder {
    pub(crate) customer: String,
}

#[derive(Query, Clone, Debug, Serialize, Deserialize)]
#[query(name = "order.count", reply = usize)]
pub(crate) struct CountOrders {
    pub(crate) customer: String,
}

#[derive(Event, Clone, Serialize, Deserialize)]
#[event(name = "order.created", stream = Order, key = id, tag = customer)]
pub(crate) struct OrderCreated {
    pub(crate) id: OrderId,
    pub(crate) customer: String,
}

#[derive(Event, Clone, Serialize, Deserialize)]
#[event(name = "order.cancelled", stream = Order, key = id)]
pub(crate) struct OrderCancelled {
    pub(crate) id: OrderId,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) customer: String,
    pub(crate) created_at: Timestamp,
    pub(crate) is_cancelled: bool,
}

#[aggregate(name = "order")]
impl Order {
    fn created(event: &OrderCreated, meta: &EventMeta) -> Self {
        Self {
            id: event.id,
            customer: event.customer.clone(),
            created_at: meta.at,
            is_cancelled: false,
        }
    }

    fn cancelled(&mut self, _event: &OrderCancelled) {
        self.is_cancelled = true;
    }
}

#[derive(DomainError, Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum OrderError {
    #[error("no order {0}")]
    #[refusal(code = "order.not-found", kind = NotFound)]
    NotFound(OrderId),
    #[error("order {0} is cancelled")]
    #[refusal(code = "order.cancelled")]
    Cancelled(OrderId),
    #[error("the customer has an order")]
    #[refusal(code = "order.has-one")]
    HasOne,
}

/// How many orders each customer has.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct OrderBook(HashMap<String, usize>);

#[projection(name = "orders", version = 1)]
impl OrderBook {
    fn created(&mut self, event: &OrderCreated) {
        *self.0.entry(event.customer.clone()).or_default() += 1;
    }
}

impl OrderBook {
    pub(crate) fn count(&self, customer: &str) -> usize {
        self.0.get(customer).copied().unwrap_or_default()
    }
}

#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) book: View<OrderBook>,
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
        if order.is_cancelled {
            return Err(OrderError::Cancelled(cmd.id).into());
        }
        order.emit(OrderCancelled { id: cmd.id, reason: cmd.reason });
        Ok(order.into_state())
    }

    async fn create_only(&self, cmd: CreateOnlyOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        tx.require(Tag::new("customer", &cmd.customer));
        if self.book.read(|book| book.count(&cmd.customer))? > 0 {
            return Err(OrderError::HasOne.into());
        }
        Ok(tx.create(OrderCreated { id: tx.new_id(), customer: cmd.customer })?.into_state())
    }

    async fn count(&self, query: CountOrders) -> Answer<usize> {
        Ok(self.book.read(|book| book.count(&query.customer))?)
    }
}
