//! A command is published.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

fn use_it(node: &Node, order_id: OrderId) {
    let _ = node.publish(CancelOrder { order_id });
}

fn main() {}
