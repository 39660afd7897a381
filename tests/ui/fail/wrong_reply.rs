//! A handler answers something else than its command declares.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    async fn create(&self, _cmd: CreateOrder, _tx: &mut Tx) -> Answer<String, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

fn main() {}
