use std::path::Path;

use catga::prelude::*;
use catga::{Backend, Builder, Cluster, Layer, StartError};

use super::book::OrderBook;
use super::layers::{Counted, NoOp};
use super::messages::{CountOrders, CreateOrder, GetOrder, Order, OrderCreated, OrderError};

struct Orders {
    book: View<OrderBook>,
}

#[service]
impl Orders {
    async fn create(&self, cmd: CreateOrder, tx: &mut Tx) -> Answer<Order, OrderError> {
        if cmd.quantity == 0 {
            return Err(OrderError::NoQuantity.into());
        }
        let created = OrderCreated {
            order_id: tx.new_id(),
            product_id: cmd.product_id,
            quantity: cmd.quantity,
            customer_id: cmd.customer_id,
            note: cmd.note,
        };
        let order = Order::created(&created);
        tx.emit(created);
        Ok(order)
    }

    async fn get(&self, query: GetOrder) -> Answer<Order, OrderError> {
        let found = |book: &OrderBook| book.order(query.order_id).cloned();
        self.book.with(|book| found(book).ok_or(OrderError::NotFound))
    }

    async fn count(&self, query: CountOrders) -> Answer<usize> {
        self.book.with(|book| Ok(book.count_of(&query.customer_id)))
    }
}

/// A node with the service, in memory.
pub(crate) async fn start() -> Result<Node, StartError> {
    with_service(Catga::builder()).start().await
}

/// A node with the service, on disk.
pub(crate) async fn start_on(dir: &Path) -> Result<Node, StartError> {
    with_service(Catga::builder().data_dir(dir)).start().await
}

/// A node with the service, in a cluster.
pub(crate) async fn start_in(cluster: Cluster) -> Result<Node, StartError> {
    with_service(Catga::builder().cluster(cluster)).start().await
}

fn with_service<B: Backend>(builder: Builder<B>) -> Builder<B, impl Layer, impl Layer> {
    builder
        .edge(Counted::default())
        .layer(NoOp)
        .service(|wiring| Orders { book: wiring.projection() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_order_is_read_after_it_was_made() {
        let node = start().await.unwrap();
        let order = node.send(CreateOrder::sample(1)).await.unwrap();
        let found = node.ask(GetOrder { order_id: order.order_id }).await;
        assert_eq!(found, Ok(order));
    }

    #[test]
    fn the_book_knows_the_orders_of_a_customer() {
        let mut book = OrderBook::default();
        assert_eq!(book.count_of("CUST-001"), 0);
        let order_id = Uuid::from_u128(1).into();
        let CreateOrder { product_id, quantity, customer_id, note } = CreateOrder::sample(1);
        let event = OrderCreated { order_id, product_id, quantity, customer_id, note };
        book.created(&event);
        assert_eq!(book.count_of("CUST-001"), 1);
    }
}
