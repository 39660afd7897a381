//! The later release of a shop: it goes along with the newest rules of the engine, an order has a
//! channel, a cancellation a reason, and there are notes. It reads all that the former one wrote.

use std::collections::BTreeMap;
use std::error::Error;

use catga::InCluster;
use catga::http::{Routes, Server, get, post};
use catga::prelude::*;
use catga_upgrade::shop;
use utoipa::ToSchema;

#[derive(
    Id, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
struct OrderId(Uuid);

#[derive(Command, Serialize, Deserialize, ToSchema)]
#[command(name = "order.create", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
struct CreateOrder {
    product_id: String,
    quantity: u32,
    customer_id: String,
    /// Callers of the former release say nothing of it. Without one the command has the same bytes as
    /// theirs: under its key it is the same command.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
}

#[derive(Command, Serialize, Deserialize, ToSchema)]
#[command(name = "order.cancel", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
struct CancelOrder {
    order_id: OrderId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Command, Serialize, Deserialize, ToSchema)]
#[command(name = "order.note", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
struct NoteOrder {
    order_id: OrderId,
    note: String,
}

#[derive(Query, Serialize, Deserialize, ToSchema)]
#[query(name = "order.get", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
struct GetOrder {
    order_id: OrderId,
}

#[derive(DomainError, Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum OrderError {
    #[error("there is no order {0}")]
    #[refusal(code = "order.not-found", kind = NotFound)]
    NotFound(OrderId),
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "order.created", stream = Order, key = order_id, tag = customer_id)]
struct OrderCreated {
    order_id: OrderId,
    product_id: String,
    quantity: u32,
    customer_id: String,
    /// Events of the former release have none.
    #[serde(default)]
    channel: Option<String>,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "order.cancelled", stream = Order, key = order_id)]
struct OrderCancelled {
    order_id: OrderId,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "order.noted", stream = Order, key = order_id)]
struct OrderNoted {
    order_id: OrderId,
    note: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: OrderId,
    product_id: String,
    quantity: u32,
    is_cancelled: bool,
    channel: Option<String>,
    reason: Option<String>,
    /// Answers that the former release has recorded have none.
    #[serde(default)]
    notes: Vec<String>,
}

#[aggregate(name = "order")]
impl Order {
    fn created(event: &OrderCreated, _meta: &EventMeta) -> Self {
        let (product_id, quantity) = (event.product_id.clone(), event.quantity);
        Self {
            order_id: event.order_id,
            product_id,
            quantity,
            is_cancelled: false,
            channel: event.channel.clone(),
            reason: None,
            notes: Vec::new(),
        }
    }

    fn cancelled(&mut self, event: &OrderCancelled) {
        self.is_cancelled = true;
        self.reason.clone_from(&event.reason);
    }

    fn noted(&mut self, event: &OrderNoted) {
        self.notes.push(event.note.clone());
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Book(BTreeMap<OrderId, Order>);

// Its state has more now: each node folds it anew from the history.
#[projection(name = "orders", version = 2)]
impl Book {
    fn created(&mut self, event: &OrderCreated, meta: &EventMeta) {
        self.0.insert(event.order_id, Order::created(event, meta));
    }

    fn cancelled(&mut self, event: &OrderCancelled) {
        if let Some(order) = self.0.get_mut(&event.order_id) {
            order.cancelled(event);
        }
    }

    fn noted(&mut self, event: &OrderNoted) {
        if let Some(order) = self.0.get_mut(&event.order_id) {
            order.noted(event);
        }
    }
}

struct Shop {
    book: View<Book>,
}

#[service]
impl Shop {
    async fn create(&self, cmd: CreateOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let order = tx.create(OrderCreated {
            order_id: tx.new_id(),
            product_id: cmd.product_id,
            quantity: cmd.quantity,
            customer_id: cmd.customer_id,
            channel: cmd.channel,
        })?;
        Ok(order.into_state())
    }

    async fn cancel(&self, cmd: CancelOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let order = tx.load::<Order>(&cmd.order_id).await?;
        let mut order = order.ok_or(OrderError::NotFound(cmd.order_id))?;
        order.emit(OrderCancelled { order_id: cmd.order_id, reason: cmd.reason });
        Ok(order.into_state())
    }

    async fn note(&self, cmd: NoteOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let order = tx.load::<Order>(&cmd.order_id).await?;
        let mut order = order.ok_or(OrderError::NotFound(cmd.order_id))?;
        order.emit(OrderNoted { order_id: cmd.order_id, note: cmd.note });
        Ok(order.into_state())
    }

    async fn get(&self, query: GetOrder) -> Answer<Order, OrderError> {
        let id = query.order_id;
        self.book.with(|book| book.0.get(&id).cloned().ok_or(OrderError::NotFound(id)))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    shop::end_with_parent()?;
    let builder = Catga::builder().service(|n| Shop { book: n.projection() });
    let node = builder.cluster(shop::cluster()?).start().await?;
    let routes = Routes::new("A shop, later release")
        .route("/orders", post::<CreateOrder>().created(|it| format!("/orders/{}", it.order_id)))
        .route("/orders/{orderId}", get::<GetOrder>())
        .route("/orders/{orderId}/cancel", post::<CancelOrder>())
        .route("/orders/{orderId}/notes", post::<NoteOrder>());
    Server::new(node, routes).run().await?;
    Ok(())
}
