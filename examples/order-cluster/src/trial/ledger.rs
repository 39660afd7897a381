use std::net::SocketAddr;

use bytes::Bytes;

use crate::client::Call;
use crate::messages::{CreateOrder, OrderId};
use crate::order::Order;

/// What was acknowledged: for each key the one answer that it got.
#[derive(Debug, Default)]
pub struct Ledger {
    /// One for each client.
    pub accounts: Vec<Account>,
}

/// What one client was told. No other client orders for its customer.
#[derive(Debug)]
pub struct Account {
    /// For whom it orders.
    pub customer: String,
    /// In the order in which they were acknowledged.
    pub placed: Vec<Placed>,
}

/// An order that was acknowledged.
#[derive(Debug)]
pub struct Placed {
    /// The key under which it was placed, which is also what was ordered.
    pub key: String,
    /// How many.
    pub quantity: u32,
    /// How often the service had been killed then.
    pub kills: usize,
    /// The answer to the order.
    pub created: Answered,
    /// The answer to its cancellation, if it was cancelled.
    pub cancelled: Option<Answered>,
}

/// An answer to a command.
#[derive(Clone, Debug)]
pub struct Answered {
    /// As it came.
    pub body: Bytes,
    /// Who gave it.
    pub by: SocketAddr,
    /// What it says.
    pub order: Order,
}

impl Placed {
    /// Its id.
    pub fn id(&self) -> OrderId {
        self.created.order.order_id
    }

    /// How it was acknowledged last.
    pub fn expected(&self) -> &Order {
        &self.cancelled.as_ref().unwrap_or(&self.created).order
    }

    /// The request that placed it.
    pub fn create_call(&self, customer: &str) -> Call {
        create(&self.key, self.quantity, customer)
    }

    /// The request that cancelled it, or would.
    pub fn cancel_call(&self) -> Call {
        let body = serde_json::json!({ "reason": format!("{} was not wanted", self.key) });
        let path = format!("/orders/{}/cancel", self.id());
        Call::post(path, &body).keyed(format!("{}-cancel", self.key))
    }
}

/// The request that orders `quantity` of a product that nobody else orders.
pub(super) fn create(key: &str, quantity: u32, customer: &str) -> Call {
    let product_id = key.to_owned();
    let order = CreateOrder { product_id, quantity, customer_id: customer.to_owned() };
    Call::post("/orders", &order).keyed(key)
}

impl Ledger {
    /// How many orders were acknowledged.
    pub fn orders(&self) -> usize {
        self.accounts.iter().map(|account| account.placed.len()).sum()
    }
}
