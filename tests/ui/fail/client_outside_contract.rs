//! A client sends what its contract does not hold.

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

    async fn get(&self, _query: GetOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

contract! {
    /// What shops may do.
    pub ShopApi: CreateOrder, GetOrder
}

fn of_a_service(orders: &Client<Orders>, order_id: OrderId) {
    let _ = orders.send(CancelOrder { order_id });
}

fn of_a_contract(shop: &Client<ShopApi>, order_id: OrderId) {
    let _ = shop.send(CancelOrder { order_id });
}

fn main() {}
