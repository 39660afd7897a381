//! The handlers. None of them knows whether it runs in one process or on a cluster.

use catga::prelude::*;

use crate::book::OrderBook;
use crate::messages::{
    CancelOrder, CreateOrder, CustomerOrders, GetCustomerOrders, GetOrder, OrderError,
};
use crate::order::{Order, OrderCancelled, OrderCreated};

/// Places, cancels and reads orders.
#[derive(Debug)]
pub struct Orders {
    /// What it reads.
    pub book: View<OrderBook>,
}

#[service]
impl Orders {
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
        let mut order =
            tx.load::<Order>(&cmd.order_id).await?.ok_or(OrderError::NotFound(cmd.order_id))?;
        order.ensure_open()?;
        order.emit(OrderCancelled { order_id: cmd.order_id, reason: cmd.reason });
        Ok(order.into_state())
    }

    async fn get(&self, query: GetOrder) -> Answer<Order, OrderError> {
        self.book.with(|book| book.order(&query.order_id))
    }

    async fn of_customer(&self, query: GetCustomerOrders) -> Answer<CustomerOrders, OrderError> {
        self.book.with(|book| book.of_customer(&query.customer_id))
    }
}
