//! Attributes of events that contradict themselves or the event.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(name = "a", stream = Order, key = orderid, tag = customer)]
struct UnknownFields {
    order_id: OrderId,
}

#[derive(Serialize, Deserialize, Event)]
#[event(name = "b", stream = Order)]
struct NoKey;

#[derive(Serialize, Deserialize, Event)]
#[event(name = "c", ephemeral, stream = Order, key = order_id)]
struct Both {
    order_id: OrderId,
}

#[derive(Serialize, Deserialize, Event)]
#[event(name = "d")]
struct Neither;

fn main() {}
