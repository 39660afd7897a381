//! Ids that are no newtypes.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

#[derive(Id)]
struct CustomerId {
    id: u64,
}

#[derive(Id)]
struct Point(u32, u32);

fn main() {}
