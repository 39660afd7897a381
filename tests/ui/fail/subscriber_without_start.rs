//! A subscriber of a recorded event does not say where it begins.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    #[subscriber(name = "confirm-by-mail")]
    async fn confirm(&self, _event: &OrderCreated) -> Result<(), OrderError> {
        Ok(())
    }
}

fn main() {}
