//! The reply and the error of a command cannot be sent.

use catga::prelude::*;

struct Receipt;

#[derive(Debug)]
struct Broken;

#[derive(serde::Serialize, serde::Deserialize, Command)]
#[command(name = "order.pay", reply = Receipt, error = Broken)]
struct PayOrder;

fn main() {}
