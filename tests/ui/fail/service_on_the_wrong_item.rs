//! Attributes on items that they do not belong on.

use catga::prelude::*;

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
