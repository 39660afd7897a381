//! A handler takes something that is no message.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

struct Plain;

#[service]
impl Orders {
    async fn create(&self, _cmd: Plain, _tx: &mut Tx) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

fn main() {}
