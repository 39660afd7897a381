//! A query is sent, a command is asked, and an event is sent.

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

fn query(orders: &Client<Orders>, order_id: OrderId) {
    let _ = orders.send(GetOrder { order_id });
}

fn command(orders: &Client<Orders>, order_id: OrderId) {
    let _ = orders.ask(CreateOrder { order_id });
}

fn event(orders: &Client<Orders>, order_id: OrderId) {
    let _ = orders.send(OrderCreated { order_id });
}

fn main() {}
