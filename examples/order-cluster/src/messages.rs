//! What can be asked of the order service. These types are its API, over HTTP too.

use catga::prelude::*;
use utoipa::ToSchema;

use crate::order::Order;

/// The id of an order.
#[derive(
    Id, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
pub struct OrderId(Uuid);

/// Places an order.
#[derive(Command, Debug, Serialize, Deserialize, ToSchema)]
#[command(name = "order.create", reply = Order, error = OrderError, check = check_order)]
#[serde(rename_all = "camelCase")]
pub struct CreateOrder {
    /// What is ordered.
    #[schema(example = "PROD-001")]
    pub product_id: String,
    /// How many of it, at least 1.
    #[schema(minimum = 1, example = 2)]
    pub quantity: u32,
    /// Who orders.
    #[schema(example = "CUST-001")]
    pub customer_id: String,
}

fn check_order(order: &CreateOrder, faults: &mut FieldFaults) {
    faults.require(!order.product_id.trim().is_empty(), "productId", "must not be empty");
    faults.require(order.quantity >= 1, "quantity", "must be at least 1");
    faults.require(!order.customer_id.trim().is_empty(), "customerId", "must not be empty");
}

/// Cancels an order that is open.
#[derive(Command, Debug, Serialize, Deserialize, ToSchema)]
#[command(name = "order.cancel", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
pub struct CancelOrder {
    /// Which order.
    pub order_id: OrderId,
    /// Why.
    #[schema(example = "ordered twice")]
    pub reason: String,
}

/// One order.
#[derive(Query, Debug, Serialize, Deserialize, ToSchema)]
#[query(name = "order.get", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
pub struct GetOrder {
    /// Which order.
    pub order_id: OrderId,
}

/// The orders of a customer, the newest last.
#[derive(Query, Debug, Serialize, Deserialize, ToSchema)]
#[query(name = "order.of-customer", reply = CustomerOrders, error = OrderError)]
#[serde(rename_all = "camelCase")]
pub struct GetCustomerOrders {
    /// Whose orders.
    pub customer_id: String,
}

/// The answer to [`GetCustomerOrders`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerOrders {
    /// Whose orders.
    pub customer_id: String,
    /// The newest last.
    pub orders: Vec<Order>,
}

/// Why the order service refuses.
#[derive(DomainError, Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum OrderError {
    /// There is no such order.
    #[error("there is no order {0}")]
    #[refusal(code = "order.not-found", kind = NotFound)]
    NotFound(OrderId),
    /// The customer has never ordered.
    #[error("customer {0} has no orders")]
    #[refusal(code = "order.no-customer", kind = NotFound)]
    NoCustomer(String),
    /// The order was cancelled before.
    #[error("order {0} is cancelled already")]
    #[refusal(code = "order.cancelled")]
    AlreadyCancelled(OrderId),
}
