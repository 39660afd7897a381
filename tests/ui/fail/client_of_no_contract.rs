//! A client is bound to a type that is no contract.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

fn orders(node: &Node) -> Client<Order> {
    node.client::<Order>()
}

fn main() {}
