//! A service that does not handle all of a contract.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

contract! {
    /// What shops may do.
    pub OrdersApi: CreateOrder, GetOrder
}

struct Orders;

#[service(contract(OrdersApi))]
impl Orders {
    async fn get(&self, _query: GetOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

fn main() {}
