//! A part handles a command that the main block handles too.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service(parts(creating))]
impl Orders {
    async fn create(&self, _cmd: CreateOrder, _tx: &mut Tx) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

mod creating {
    use super::*;

    #[service(part)]
    impl Orders {
        async fn create_again(&self, _cmd: CreateOrder) -> Answer<Order, OrderError> {
            Err(OrderError::NotFound.into())
        }
    }
}

fn main() {}
