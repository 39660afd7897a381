//! The main block names a part that is not there.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service(parts(creating))]
impl Orders {
    async fn get(&self, _query: GetOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

mod creating {}

fn main() {}
