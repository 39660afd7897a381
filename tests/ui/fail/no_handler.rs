//! A service is asked, by hand, for a handler that it does not have.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    async fn create(&self, _cmd: CreateOrder, _tx: &mut Tx) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }

    async fn get(&self, _query: GetOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

fn use_it(orders: &Orders, order_id: OrderId) {
    let _ = catga::Handle::handle(orders, CancelOrder { order_id }, ());
}

fn main() {}
