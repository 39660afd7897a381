//! A stream is loaded by something that is no key.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

fn use_it(tx: &mut Tx) {
    let _ = tx.load::<Order>(&1.5);
}

fn main() {}
