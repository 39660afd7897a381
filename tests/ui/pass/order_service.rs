//! The program on the first page of the documentation.

use std::collections::HashMap;

use catga::prelude::*;

#[derive(Command, Serialize, Deserialize)]
#[command(name = "order.create", reply = Order, error = OrderError)]
struct CreateOrder {
    product_id: String,
    quantity: u32,
    customer_id: String,
}

#[derive(Command, Serialize, Deserialize)]
#[command(name = "order.cancel", reply = Order, error = OrderError)]
struct CancelOrder {
    order_id: OrderId,
    reason: String,
}

#[derive(Query, Serialize, Deserialize)]
#[query(name = "order.get", reply = Order, error = OrderError)]
struct GetOrder {
    order_id: OrderId,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "order.created", stream = Order, key = order_id, tag = customer_id)]
struct OrderCreated {
    order_id: OrderId,
    product_id: String,
    quantity: u32,
    customer_id: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "order.cancelled", stream = Order, key = order_id)]
struct OrderCancelled {
    order_id: OrderId,
    reason: String,
}

#[derive(Id, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
struct OrderId(Uuid);

#[derive(Debug, PartialEq, thiserror::Error, DomainError, Serialize, Deserialize)]
enum OrderError {
    #[error("there is no order {0}")]
    #[refusal(code = "order.not-found", kind = NotFound)]
    NotFound(OrderId),
    #[error("the order is closed")]
    #[refusal(code = "order.closed")]
    Closed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    order_id: OrderId,
    product_id: String,
    quantity: u32,
    created_at: Timestamp,
    status: Status,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Status {
    Open,
    Cancelled { reason: String },
}

#[aggregate(name = "order")]
impl Order {
    fn created(event: &OrderCreated, meta: &EventMeta) -> Self {
        Self {
            order_id: event.order_id,
            product_id: event.product_id.clone(),
            quantity: event.quantity,
            created_at: meta.at,
            status: Status::Open,
        }
    }

    fn cancelled(&mut self, event: &OrderCancelled) {
        self.status = Status::Cancelled { reason: event.reason.clone() };
    }
}

impl Order {
    fn ensure_open(&self) -> Result<(), OrderError> {
        match self.status {
            Status::Open => Ok(()),
            Status::Cancelled { .. } => Err(OrderError::Closed),
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct OrderBook {
    orders: HashMap<OrderId, Order>,
}

#[projection(name = "orders", version = 1)]
impl OrderBook {
    fn created(&mut self, event: &OrderCreated, meta: &EventMeta) {
        self.orders.insert(event.order_id, Order::created(event, meta));
    }

    fn cancelled(&mut self, event: &OrderCancelled) {
        if let Some(order) = self.orders.get_mut(&event.order_id) {
            order.cancelled(event);
        }
    }
}

impl OrderBook {
    fn order(&self, order_id: &OrderId) -> Result<Order, OrderError> {
        self.orders.get(order_id).cloned().ok_or(OrderError::NotFound(*order_id))
    }
}

struct Orders {
    book: View<OrderBook>,
}

#[service]
impl Orders {
    async fn create(&self, cmd: CreateOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let CreateOrder { product_id, quantity, customer_id } = cmd;
        let order_id = tx.new_id();
        let order = Order {
            order_id,
            product_id: product_id.clone(),
            quantity,
            created_at: tx.now(),
            status: Status::Open,
        };
        tx.emit(OrderCreated { order_id, product_id, quantity, customer_id });
        Ok(order)
    }

    async fn cancel(&self, cmd: CancelOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let CancelOrder { order_id, reason } = cmd;
        let mut order = tx.load::<Order>(&order_id).await?.ok_or(OrderError::NotFound(order_id))?;
        order.ensure_open()?;
        order.emit(OrderCancelled { order_id, reason });
        Ok(order.into_state())
    }

    async fn get(&self, query: GetOrder) -> Answer<Order, OrderError> {
        self.book.with(|book| book.order(&query.order_id))
    }

    #[subscriber(name = "confirm-by-mail", each = "node", from = "now")]
    async fn confirm(&self, event: &OrderCreated, delivery: &Delivery) -> Result<(), MailError> {
        send_mail(&event.customer_id, &delivery.idempotency_key())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the mail server does not answer")]
struct MailError;

fn send_mail(to: &str, key: &str) -> Result<(), MailError> {
    if to.is_empty() || key.is_empty() { Err(MailError) } else { Ok(()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> catga::Result<()> {
    let node = Catga::builder().service(|n| Orders { book: n.projection() }).start().await?;
    let created = node
        .send(CreateOrder {
            product_id: "P-1".to_owned(),
            quantity: 2,
            customer_id: "C-1".to_owned(),
        })
        .await
        .expect("a new order");
    let order_id = created.order_id;
    assert_eq!(node.ask(GetOrder { order_id }).await, Ok(created));
    let cancel = || CancelOrder { order_id, reason: "no longer needed".to_owned() };
    let cancelled = node.send(cancel()).await.expect("an open order");
    assert!(matches!(cancelled.status, Status::Cancelled { .. }));
    let again = node.send(cancel()).await.expect_err("a closed order");
    assert_eq!(again.refusal(), Some(&OrderError::Closed));
    node.shutdown().await;
    Ok(())
}
