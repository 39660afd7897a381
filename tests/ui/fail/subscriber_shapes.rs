//! Subscribers that are none, each in its own way.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    #[subscriber(name = "on-cluster", each = "cluster", from = "now")]
    async fn on_cluster(&self, _event: &OrderCreated) -> Result<(), OrderError> {
        Ok(())
    }

    #[subscriber(name = "with-tx", each = "node", from = "now")]
    async fn with_tx(&self, _event: &OrderCreated, _tx: &mut Tx) -> Result<(), OrderError> {
        Ok(())
    }

    #[subscriber(each = "node", from = "now")]
    async fn without_name(&self, _event: &OrderCreated) -> Result<(), OrderError> {
        Ok(())
    }

    #[subscriber(name = "by-value", each = "node", from = "tomorrow")]
    async fn by_value(&self, _event: OrderCreated) -> Result<(), OrderError> {
        Ok(())
    }

    #[subscriber(name = "without-result", each = "node", from = "start")]
    async fn without_result(&self, _event: &OrderCreated) {}
}

fn main() {}
