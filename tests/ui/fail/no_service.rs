//! What is added to a node is no service.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

impl Orders {
    async fn get(&self, _query: GetOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

fn main() {
    let _ = Catga::builder().service(|_| Orders);
}
