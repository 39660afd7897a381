//! Subscribers that are none, each in its own way.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    #[subscriber(name = "on-all", each = "all", from = "now")]
    async fn on_all(&self, _event: &OrderCreated) -> Result<(), OrderError> {
        Ok(())
    }

    #[subscriber(name = "without-start", each = "cluster")]
    async fn without_start(&self, _event: &OrderCreated) -> Result<(), OrderError> {
        Ok(())
    }

    #[subscriber(name = "parks", each = "node", from = "now", on_failure = "park")]
    async fn parks(&self, _event: &OrderCreated) -> Result<(), OrderError> {
        Ok(())
    }

    #[subscriber(name = "stops", each = "cluster", from = "now", on_failure = "stop")]
    async fn stops(&self, _event: &OrderCreated) -> Result<(), OrderError> {
        Ok(())
    }

    #[subscriber(name = "two-txs", each = "cluster", from = "now")]
    async fn two_txs(
        &self,
        _event: &OrderCreated,
        _tx: &mut Tx,
        _again: &mut Tx,
    ) -> Result<(), OrderError> {
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
