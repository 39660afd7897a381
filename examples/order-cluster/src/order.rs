//! An order: its events, and the state that they fold to.

use catga::prelude::*;
use utoipa::ToSchema;

use crate::messages::{OrderError, OrderId};

/// An order was placed.
#[derive(Event, Debug, Serialize, Deserialize)]
#[event(name = "order.created", stream = Order, key = order_id, tag = customer_id)]
pub struct OrderCreated {
    /// Its id.
    pub order_id: OrderId,
    /// What was ordered.
    pub product_id: String,
    /// How many of it.
    pub quantity: u32,
    /// Who ordered.
    pub customer_id: String,
}

/// An order was cancelled.
#[derive(Event, Debug, Serialize, Deserialize)]
#[event(name = "order.cancelled", stream = Order, key = order_id)]
pub struct OrderCancelled {
    /// Which order.
    pub order_id: OrderId,
    /// Why.
    pub reason: String,
}

/// The state of one order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id.
    pub order_id: OrderId,
    /// Where it stands.
    pub status: Status,
    /// What was ordered.
    #[schema(example = "PROD-001")]
    pub product_id: String,
    /// How many of it.
    #[schema(example = 2)]
    pub quantity: u32,
    /// Who ordered.
    #[schema(example = "CUST-001")]
    pub customer_id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was placed.
    Created,
    /// It was cancelled.
    Cancelled,
}

#[aggregate(name = "order")]
impl Order {
    /// The first event makes the order.
    pub fn created(event: &OrderCreated, meta: &EventMeta) -> Self {
        Self {
            order_id: event.order_id,
            status: Status::Created,
            product_id: event.product_id.clone(),
            quantity: event.quantity,
            customer_id: event.customer_id.clone(),
            created_at: meta.at,
        }
    }

    /// A cancelled order stays as it was, but for its status.
    pub fn cancelled(&mut self, _event: &OrderCancelled) {
        self.status = Status::Cancelled;
    }
}

impl Order {
    /// Refuses if the order was cancelled.
    pub fn ensure_open(&self) -> Result<(), OrderError> {
        match self.status {
            Status::Created => Ok(()),
            Status::Cancelled => Err(OrderError::AlreadyCancelled(self.order_id)),
        }
    }
}
