//! Methods of an aggregate that fold no event, and an aggregate without a first state.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

#[derive(Clone)]
struct Basket {
    items: u32,
}

#[aggregate(name = "basket")]
impl Basket {
    fn cancelled(&mut self, _event: &OrderCancelled) {
        self.items = 0;
    }

    fn total(&self) -> u32 {
        self.items
    }

    fn viewed(&self, _event: &OrderViewed) {}

    async fn paid(&mut self, _event: &OrderCreated) {}
}

fn main() {}
