//! Attributes of messages with something missing or misspelt.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Command)]
struct NoAttribute;

#[derive(Serialize, Deserialize, Command)]
#[command(reply = Order)]
struct NoName;

#[derive(Serialize, Deserialize, Command)]
#[command(name = "order.touch", replay = Order, format = Json, level = Local)]
struct Misspelt;

#[derive(Serialize, Deserialize, Query)]
#[query(name = "order.get", level = Linearisable, version = "1")]
struct WrongLevel;

#[derive(Serialize, Deserialize, Query)]
#[query(name = "order.get", name = "order.read")]
struct Twice;

fn main() {}
