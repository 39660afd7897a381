//! The former release of a shop: it knows the first version of the engine's rules alone, no channel
//! of an order, no reason of a cancellation, and no notes.

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
}

#[derive(Command, Serialize, Deserialize, ToSchema)]
#[command(name = "order.cancel", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
struct CancelOrder {
    order_id: OrderId,
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
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "order.cancelled", stream = Order, key = order_id)]
struct OrderCancelled {
    order_id: OrderId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: OrderId,
    product_id: String,
    quantity: u32,
    is_cancelled: bool,
}

#[aggregate(name = "order")]
impl Order {
    fn created(event: &OrderCreated, _meta: &EventMeta) -> Self {
        let (product_id, quantity) = (event.product_id.clone(), event.quantity);
        Self { order_id: event.order_id, product_id, quantity, is_cancelled: false }
    }

    fn cancelled(&mut self, _event: &OrderCancelled) {
        self.is_cancelled = true;
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Book(BTreeMap<OrderId, Order>);

#[projection(name = "orders", version = 1)]
impl Book {
    fn created(&mut self, event: &OrderCreated, meta: &EventMeta) {
        self.0.insert(event.order_id, Order::created(event, meta));
    }

    fn cancelled(&mut self, event: &OrderCancelled) {
        if let Some(order) = self.0.get_mut(&event.order_id) {
            order.cancelled(event);
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
        })?;
        Ok(order.into_state())
    }

    async fn cancel(&self, cmd: CancelOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let order = tx.load::<Order>(&cmd.order_id).await?;
        let mut order = order.ok_or(OrderError::NotFound(cmd.order_id))?;
        order.emit(OrderCancelled { order_id: cmd.order_id });
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
    let node = builder.cluster(shop::cluster()?.engine_version_max(1)).start().await?;
    let routes = Routes::new("A shop, former release")
        .route("/orders", post::<CreateOrder>().created(|it| format!("/orders/{}", it.order_id)))
        .route("/orders/{orderId}", get::<GetOrder>())
        .route("/orders/{orderId}/cancel", post::<CancelOrder>());
    Server::new(node, routes).run().await?;
    Ok(())
}
