//! What is loaded is no aggregate.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

fn use_it(tx: &mut Tx, order_id: OrderId) {
    let _ = tx.load::<String>(&order_id);
}

fn main() {}
