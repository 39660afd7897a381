//! A read model that cannot be written to a checkpoint and does not say that it takes none.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

#[derive(Default)]
struct Book {
    orders: u32,
}

#[projection(name = "orders", version = 1)]
impl Book {
    fn created(&mut self, _event: &OrderCreated) {
        self.orders += 1;
    }
}

/// Half of it is not enough.
#[derive(Default, Serialize)]
struct Written(u32);

#[projection(name = "written")]
impl Written {
    fn created(&mut self, _event: &OrderCreated) {
        self.0 += 1;
    }
}

/// No mistake: it is folded again at each start.
#[derive(Default)]
struct Folded(u32);

#[projection(name = "folded", checkpoint = false)]
impl Folded {
    fn created(&mut self, _event: &OrderCreated) {
        self.0 += 1;
    }
}

fn main() {}
