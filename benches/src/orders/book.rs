use std::collections::HashMap;

use catga::prelude::*;

use super::messages::{Order, OrderCreated, OrderId};

/// All orders, by id and by customer.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct OrderBook {
    by_id: HashMap<OrderId, Order>,
    by_customer: HashMap<String, Vec<OrderId>>,
}

#[projection(name = "orders", version = 1)]
impl OrderBook {
    pub(super) fn created(&mut self, event: &OrderCreated) {
        let order = Order::created(event);
        match self.by_customer.get_mut(&event.customer_id) {
            Some(orders) => orders.push(event.order_id),
            None => {
                let orders = vec![event.order_id];
                self.by_customer.insert(event.customer_id.clone(), orders);
            }
        }
        self.by_id.insert(event.order_id, order);
    }
}

impl OrderBook {
    pub(super) fn order(&self, id: OrderId) -> Option<&Order> {
        self.by_id.get(&id)
    }

    /// How many orders a customer has.
    pub(super) fn count_of(&self, customer: &str) -> usize {
        self.by_customer.get(customer).map_or(0, Vec::len)
    }
}
