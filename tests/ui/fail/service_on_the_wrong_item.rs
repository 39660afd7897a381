//! Attributes on items that they do not belong on.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

#[service]
struct Orders;

struct Other;

#[service]
impl Clone for Other {
    fn clone(&self) -> Self {
        Self
    }
}

#[aggregate(name = "basket")]
enum Basket {}

fn main() {}
