use std::borrow::Cow;

use catga::prelude::*;

/// A command whose handler does next to nothing.
#[derive(Clone, Debug, Command, Serialize, Deserialize)]
#[command(name = "core.command", reply = Processed)]
pub(super) struct CoreCommand {
    pub(super) id: u64,
    pub(super) data: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Processed {
    pub(super) id: u64,
    pub(super) text: String,
}

#[derive(Clone, Debug, Query, Serialize, Deserialize)]
#[query(name = "core.query", reply = Found)]
pub(super) struct CoreQuery {
    pub(super) id: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) id: u64,
    pub(super) text: Cow<'static, str>,
}

#[derive(Clone, Debug, Event, Serialize, Deserialize)]
#[event(name = "core.event", ephemeral)]
pub(super) struct CoreEvent {
    pub(super) id: u64,
    pub(super) data: String,
}

#[derive(Clone, Debug, Command, Serialize, Deserialize)]
#[command(name = "business.create", reply = Created)]
pub(super) struct CreateOrder {
    pub(super) customer_id: u64,
    pub(super) product_id: String,
    pub(super) quantity: u32,
    pub(super) price: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Created {
    pub(super) order_id: Uuid,
    pub(super) status: Cow<'static, str>,
}

#[derive(Clone, Debug, Command, Serialize, Deserialize)]
#[command(name = "business.pay", reply = Paid)]
pub(super) struct PayOrder {
    pub(super) order_id: u64,
    pub(super) amount: f64,
    pub(super) method: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Paid {
    pub(super) transaction: String,
}

#[derive(Clone, Debug, Query, Serialize, Deserialize)]
#[query(name = "business.get", reply = Order)]
pub(super) struct GetOrder {
    pub(super) order_id: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) order_id: u64,
    pub(super) status: Cow<'static, str>,
    pub(super) amount: f64,
}

#[derive(Clone, Debug, Event, Serialize, Deserialize)]
#[event(name = "business.order-created", ephemeral)]
pub(super) struct OrderCreated {
    pub(super) order_id: Uuid,
    pub(super) customer_id: u64,
    pub(super) amount: f64,
}
