//! A service that is generic over what it needs, whole and in parts.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

pub trait Clock: Send + Sync + 'static {
    fn is_day(&self) -> bool;
}

struct Day;

impl Clock for Day {
    fn is_day(&self) -> bool {
        true
    }
}

pub struct Orders<C, T>
where
    T: Send + Sync + 'static,
{
    clock: C,
    _more: T,
}

#[service(parts(reading))]
impl<C: Clock, T> Orders<C, T>
where
    T: Send + Sync + 'static,
{
    async fn create(&self, cmd: CreateOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        tx.emit(OrderCreated { order_id: cmd.order_id.clone() });
        Ok(Order { order_id: cmd.order_id, is_open: self.clock.is_day() })
    }

    #[subscriber(name = "notice")]
    async fn viewed(&self, _event: &OrderViewed) -> Result<(), String> {
        if self.clock.is_day() { Ok(()) } else { Err("it is night".to_owned()) }
    }
}

mod reading {
    use super::*;

    #[service(part)]
    impl<C: Clock, T> Orders<C, T>
    where
        T: Send + Sync + 'static,
    {
        async fn get(&self, query: GetOrder) -> Answer<Order, OrderError> {
            Ok(Order { order_id: query.order_id, is_open: self.clock.is_day() })
        }

        #[subscriber(name = "notice-too")]
        async fn viewed_too(&self, _event: &OrderViewed) -> Result<(), String> {
            Ok(())
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> catga::Result<()> {
    let node = Catga::builder().service(|_| Orders { clock: Day, _more: 7 }).start().await?;
    let order_id = OrderId::from("o-1");
    let created = node.send(CreateOrder { order_id: order_id.clone() }).await;
    assert!(created.expect("a new order").is_open);
    assert!(node.ask(GetOrder { order_id: order_id.clone() }).await.expect("an order").is_open);
    node.publish(OrderViewed { order_id }).await.expect("subscribers");
    node.shutdown().await;
    Ok(())
}
