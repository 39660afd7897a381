//! A part that the main block of the service does not name.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    async fn get(&self, _query: GetOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

mod creating {
    use super::*;

    #[service(part)]
    impl Orders {
        async fn create(&self, _cmd: CreateOrder, _tx: &mut Tx) -> Answer<Order, OrderError> {
            Err(OrderError::NotFound.into())
        }
    }
}

fn main() {}
