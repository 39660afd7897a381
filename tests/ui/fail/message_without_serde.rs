//! A message without serde's derives.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

#[derive(Command)]
#[command(name = "order.touch")]
struct TouchOrder;

fn main() {}
