//! A handler emits an event that is never recorded.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    async fn create(&self, cmd: CreateOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        tx.emit(OrderViewed { order_id: cmd.order_id });
        Err(OrderError::NotFound.into())
    }
}

fn main() {}
