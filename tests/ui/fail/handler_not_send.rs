//! A handler keeps something across an `.await` that cannot leave its thread.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    async fn create(&self, cmd: CreateOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        let seen = std::rc::Rc::new(cmd.order_id);
        let order = tx.load::<Order>(&*seen).await?;
        drop(seen);
        order.map(|order| order.into_state()).ok_or_else(|| OrderError::NotFound.into())
    }
}

fn main() {}
