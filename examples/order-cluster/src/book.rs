//! The read model: every order, by its id and by its customer.

use std::collections::BTreeMap;

use catga::prelude::*;

use crate::messages::{CustomerOrders, OrderError, OrderId};
use crate::order::{Order, OrderCancelled, OrderCreated};

/// All orders, folded on every node from the events of all streams.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct OrderBook {
    orders: BTreeMap<OrderId, Order>,
    by_customer: BTreeMap<String, Vec<OrderId>>,
}

#[projection(name = "orders", version = 1)]
impl OrderBook {
    fn created(&mut self, event: &OrderCreated, meta: &EventMeta) {
        let order = Order::created(event, meta);
        self.by_customer.entry(order.customer_id.clone()).or_default().push(order.order_id);
        self.orders.insert(order.order_id, order);
    }

    fn cancelled(&mut self, event: &OrderCancelled) {
        if let Some(order) = self.orders.get_mut(&event.order_id) {
            order.cancelled(event);
        }
    }
}

impl OrderBook {
    /// One order.
    pub fn order(&self, id: &OrderId) -> Result<Order, OrderError> {
        self.orders.get(id).cloned().ok_or(OrderError::NotFound(*id))
    }

    /// The orders of a customer, the newest last.
    pub fn of_customer(&self, customer: &str) -> Result<CustomerOrders, OrderError> {
        let ids = self
            .by_customer
            .get(customer)
            .ok_or_else(|| OrderError::NoCustomer(customer.to_owned()))?;
        let orders = ids.iter().filter_map(|id| self.orders.get(id).cloned()).collect();
        Ok(CustomerOrders { customer_id: customer.to_owned(), orders })
    }
}
