//! The stream of an event is a type that is no aggregate.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(name = "order.weighed", stream = String, key = weight)]
struct OrderWeighed {
    weight: u32,
}

fn main() {}
