//! A service whose methods stand in several modules, and a contract that it fulfils.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use catga::{Contract, ContractList};
use orders::*;

contract! {
    /// What shops may do with orders.
    pub(crate) ShopApi: CreateOrder, GetOrder
}

pub struct Orders {
    name: String,
}

#[service(parts(creating, crate::reading::one), contract(ShopApi, Orders2))]
impl Orders {
    async fn cancel(&self, _cmd: CancelOrder, _tx: &mut Tx) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

contract! {
    // A contract of one message, and with a trailing comma.
    Orders2: CancelOrder,
}

mod creating {
    use super::*;

    #[service(part)]
    impl Orders {
        pub(super) async fn create(
            &self,
            cmd: CreateOrder,
            tx: &mut Tx,
        ) -> Answer<Order, OrderError> {
            assert_eq!(self.name, "orders");
            let order = Order { order_id: cmd.order_id.clone(), is_open: true };
            tx.emit(OrderCreated { order_id: cmd.order_id });
            Ok(order)
        }

        #[subscriber(name = "count", each = "node", from = "start")]
        async fn count(&self, event: &OrderCreated) -> Result<(), Fault> {
            let _ = &event.order_id;
            Ok(())
        }
    }
}

mod reading {
    pub(crate) mod one {
        use catga::prelude::*;

        use crate::orders::{GetOrder, Order, OrderError, OrderViewed};

        #[service(part)]
        impl crate::Orders {
            async fn get(&self, query: GetOrder) -> Answer<Order, OrderError> {
                Ok(Order { order_id: query.order_id, is_open: true })
            }

            #[subscriber(name = "count-views")]
            async fn order_viewed(
                &self,
                _event: &OrderViewed,
                delivery: &Delivery,
            ) -> Result<(), String> {
                if delivery.attempt == 1 { Ok(()) } else { Err("again".to_owned()) }
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> catga::Result<()> {
    let names: Vec<_> = ContractList::of::<Orders>().iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["order.cancel", "order.create", "order.get"]);
    let names: Vec<_> = ContractList::of::<ShopApi>().iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["order.create", "order.get"]);
    assert_eq!(<Orders as Contract>::NAME, "Orders");

    let node = Catga::builder().service(|_| Orders { name: "orders".to_owned() }).start().await?;
    let shop: Client<ShopApi> = node.client();
    let order_id = OrderId::from("o-1");
    let created = shop.send(CreateOrder { order_id: order_id.clone() }).await;
    assert_eq!(created.expect("a new order").order_id, order_id);
    let read = shop.ask(GetOrder { order_id: order_id.clone() }).await;
    assert_eq!(read.expect("an order").order_id, order_id);
    node.publish(OrderViewed { order_id }).await.expect("a subscriber");
    node.shutdown().await;
    Ok(())
}
