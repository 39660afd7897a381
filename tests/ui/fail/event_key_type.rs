//! The key of an event is of a type that cannot name a stream.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(name = "order.weighed", stream = Order, key = weight)]
struct OrderWeighed {
    weight: f64,
}

fn main() {}
