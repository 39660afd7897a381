//! Ids that are no newtypes.

use catga::prelude::*;

#[derive(Id)]
struct CustomerId {
    id: u64,
}

#[derive(Id)]
struct Point(u32, u32);

fn main() {}
