//! The stream of an event is a type that is no aggregate.

use catga::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(name = "order.weighed", stream = String, key = weight)]
struct OrderWeighed {
    weight: u32,
}

fn main() {}
