//! A message without serde's derives.

use catga::prelude::*;

#[derive(Command)]
#[command(name = "order.touch")]
struct TouchOrder;

fn main() {}
