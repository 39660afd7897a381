//! A service reads a view of what is no projection.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders {
    _book: View<Order>,
}

#[service]
impl Orders {
    async fn get(&self, _query: GetOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

fn main() {
    let _ = Catga::builder().service(|n| Orders { _book: n.projection() });
}
