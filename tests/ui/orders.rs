//! The little domain that the examples of mistakes share. There is no mistake in it.

use catga::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "order.create", reply = Order, error = OrderError)]
pub struct CreateOrder {
    pub order_id: OrderId,
}

#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "order.cancel", reply = Order, error = OrderError)]
pub struct CancelOrder {
    pub order_id: OrderId,
}

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(name = "order.get", reply = Order, error = OrderError)]
pub struct GetOrder {
    pub order_id: OrderId,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "order.created", stream = Order, key = order_id)]
pub struct OrderCreated {
    pub order_id: OrderId,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "order.cancelled", stream = Order, key = order_id)]
pub struct OrderCancelled {
    pub order_id: OrderId,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "order.viewed", ephemeral)]
pub struct OrderViewed {
    pub order_id: OrderId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Id)]
#[serde(transparent)]
pub struct OrderId(String);

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error, DomainError)]
pub enum OrderError {
    #[error("there is no such order")]
    #[refusal(code = "order.not-found", kind = NotFound)]
    NotFound,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub order_id: OrderId,
    pub is_open: bool,
}

#[aggregate(name = "order")]
impl Order {
    fn created(event: &OrderCreated) -> Self {
        Self { order_id: event.order_id.clone(), is_open: true }
    }

    fn cancelled(&mut self, _event: &OrderCancelled) {
        self.is_open = false;
    }
}
