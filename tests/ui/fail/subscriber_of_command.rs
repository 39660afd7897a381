//! A subscriber takes a command.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    #[subscriber(name = "confirm-by-mail", each = "node", from = "now")]
    async fn confirm(&self, _event: &CreateOrder) -> Result<(), OrderError> {
        Ok(())
    }
}

fn main() {}
