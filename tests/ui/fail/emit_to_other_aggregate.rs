//! A handler emits to an aggregate an event of another one.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
struct Customer;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(name = "customer.joined", stream = Customer, key = name)]
struct CustomerJoined {
    name: String,
}

#[aggregate(name = "customer")]
impl Customer {
    fn joined(&mut self, _event: &CustomerJoined) {}
}

struct Orders;

#[service]
impl Orders {
    async fn cancel(&self, cmd: CancelOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let mut order = tx.load::<Order>(&cmd.order_id).await?.ok_or(OrderError::NotFound)?;
        order.emit(CustomerJoined { name: "Ada".into() });
        Ok(order.into_state())
    }
}

fn main() {}
