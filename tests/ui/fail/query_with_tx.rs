//! The handler of a query takes a transaction.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    async fn get(&self, _query: GetOrder, _tx: &mut Tx) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

fn main() {}
