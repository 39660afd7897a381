//! Two methods handle the same command.

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

    async fn create_again(&self, _cmd: CreateOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

fn main() {}
