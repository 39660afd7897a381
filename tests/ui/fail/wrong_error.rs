//! A handler refuses with another error than its command declares.

#[path = "../orders.rs"]
mod orders;

use catga::NoError;
use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    async fn create(&self, cmd: CreateOrder, _tx: &mut Tx) -> Answer<Order, NoError> {
        Ok(Order { order_id: cmd.order_id, is_open: true })
    }
}

fn main() {}
