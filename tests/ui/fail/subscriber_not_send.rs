//! A subscriber keeps something across an `.await` that cannot leave its thread.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    #[subscriber(name = "confirm-by-mail", each = "node", from = "now")]
    async fn confirm(&self, event: &OrderCreated) -> Result<(), OrderError> {
        let seen = std::rc::Rc::new(event);
        std::future::ready(()).await;
        drop(seen);
        Ok(())
    }
}

fn main() {}
