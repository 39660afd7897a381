//! A handler returns a bare `Result`, which has no place for a fault.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    async fn create(&self, cmd: CreateOrder, _tx: &mut Tx) -> Result<Order, OrderError> {
        Ok(Order { order_id: cmd.order_id, is_open: true })
    }
}

fn main() {}
