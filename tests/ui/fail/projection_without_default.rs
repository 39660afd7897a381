//! A read model without a first state, and one that folds what is never recorded.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

#[derive(Serialize, Deserialize)]
struct Book {
    orders: u32,
}

#[projection(name = "orders", version = 1)]
impl Book {
    fn created(&mut self, _event: &OrderCreated) {
        self.orders += 1;
    }

    fn viewed(&mut self, _event: &OrderViewed) {}
}

fn main() {}
