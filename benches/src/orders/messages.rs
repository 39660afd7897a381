use catga::prelude::*;
use utoipa::ToSchema;

use super::PAYLOAD_BYTES;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Id, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String)]
pub(crate) struct OrderId(Uuid);

#[derive(Clone, Debug, Command, Serialize, Deserialize, ToSchema)]
#[command(name = "order.create", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateOrder {
    pub(crate) product_id: String,
    pub(crate) quantity: u32,
    pub(crate) customer_id: String,
    /// Fills the command up to [`PAYLOAD_BYTES`].
    pub(crate) note: String,
}

#[derive(Clone, Debug, Query, Serialize, Deserialize, ToSchema)]
#[query(name = "order.get", reply = Order, error = OrderError)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GetOrder {
    pub(crate) order_id: OrderId,
}

/// How many orders a customer has.
#[derive(Clone, Debug, Query, Serialize, Deserialize)]
#[query(name = "order.count", reply = usize)]
pub(crate) struct CountOrders {
    pub(crate) customer_id: String,
}

#[derive(Clone, Debug, Event, Serialize, Deserialize)]
#[event(name = "order.created", stream = Order, key = order_id)]
pub(crate) struct OrderCreated {
    pub(crate) order_id: OrderId,
    pub(crate) product_id: String,
    pub(crate) quantity: u32,
    pub(crate) customer_id: String,
    pub(crate) note: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    pub(crate) order_id: OrderId,
    pub(crate) product_id: String,
    pub(crate) quantity: u32,
    pub(crate) customer_id: String,
    pub(crate) status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum Status {
    Pending,
}

#[derive(Clone, Debug, PartialEq, Eq, DomainError, Serialize, Deserialize)]
pub(crate) enum OrderError {
    #[refusal(code = "order.not-found", kind = NotFound)]
    NotFound,
    #[refusal(code = "order.no-quantity", kind = Invalid)]
    NoQuantity,
}

impl std::fmt::Display for OrderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such order",
            Self::NoQuantity => "an order is for one piece at least",
        })
    }
}

impl std::error::Error for OrderError {}

#[aggregate(name = "order")]
impl Order {
    pub(super) fn created(event: &OrderCreated) -> Self {
        Self {
            order_id: event.order_id,
            product_id: event.product_id.clone(),
            quantity: event.quantity,
            customer_id: event.customer_id.clone(),
            status: Status::Pending,
        }
    }
}

/// What the names of the fields, the other values and the frame take of [`PAYLOAD_BYTES`].
const WITHOUT_NOTE: usize = 57;

impl CreateOrder {
    /// A command of [`PAYLOAD_BYTES`] for one of a thousand customers.
    pub(crate) fn sample(number: u64) -> Self {
        Self {
            product_id: "PROD-001".to_owned(),
            quantity: 2,
            customer_id: format!("CUST-{:03}", number % 1000),
            note: "x".repeat(PAYLOAD_BYTES - WITHOUT_NOTE),
        }
    }
}

#[cfg(test)]
mod tests {
    use catga::{Format, MessagePack};

    use super::*;

    #[test]
    fn a_sample_has_the_bytes_that_the_results_state() {
        let mut bytes = Vec::new();
        MessagePack::encode(&CreateOrder::sample(7), &mut bytes).unwrap();
        assert_eq!(bytes.len(), PAYLOAD_BYTES);
    }
}
