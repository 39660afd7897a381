//! The reply and the error of a command cannot be sent.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Receipt;

#[derive(Debug)]
struct Broken;

#[derive(serde::Serialize, serde::Deserialize, Command)]
#[command(name = "order.pay", reply = Receipt, error = Broken)]
struct PayOrder;

fn main() {}
