//! A handler emits to an aggregate an event that the aggregate does not fold.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(name = "order.paid", stream = Order, key = order_id)]
struct OrderPaid {
    order_id: OrderId,
}

struct Orders;

#[service]
impl Orders {
    async fn cancel(&self, cmd: CancelOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let mut order = tx.load::<Order>(&cmd.order_id).await?.ok_or(OrderError::NotFound)?;
        order.emit(OrderPaid { order_id: cmd.order_id });
        Ok(order.into_state())
    }
}

fn main() {}
