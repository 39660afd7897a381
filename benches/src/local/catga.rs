use std::rc::Rc;

use anyhow::Result;
use catga::prelude::*;
use tokio::runtime::Runtime;

use super::mediator::Mediator;
use super::messages::{
    CoreCommand, CoreEvent, CoreQuery, CreateOrder, Created, Found, GetOrder, Order, OrderCreated,
    Paid, PayOrder, Processed,
};
use super::work;

struct Core;

#[service]
impl Core {
    async fn command(&self, command: CoreCommand) -> Answer<Processed> {
        Ok(work::command(command))
    }

    async fn query(&self, query: CoreQuery) -> Answer<Found> {
        Ok(work::query(query))
    }

    #[subscriber(name = "core-seen", each = "node", from = "now")]
    async fn seen(&self, event: &CoreEvent) -> Result<(), NoError> {
        work::seen(event);
        Ok(())
    }
}

struct Shop;

#[service]
impl Shop {
    async fn create(&self, order: CreateOrder) -> Answer<Created> {
        Ok(work::create(order))
    }

    async fn pay(&self, payment: PayOrder) -> Answer<Paid> {
        Ok(work::pay(payment))
    }

    async fn get(&self, query: GetOrder) -> Answer<Order> {
        Ok(work::get(query))
    }

    #[subscriber(name = "shop-mail", each = "node", from = "now")]
    async fn mail(&self, event: &OrderCreated) -> Result<(), NoError> {
        work::seen(event);
        Ok(())
    }

    #[subscriber(name = "shop-stock", each = "node", from = "now")]
    async fn stock(&self, event: &OrderCreated) -> Result<(), NoError> {
        work::seen(event);
        Ok(())
    }

    #[subscriber(name = "shop-audit", each = "node", from = "now")]
    async fn audit(&self, event: &OrderCreated) -> Result<(), NoError> {
        work::seen(event);
        Ok(())
    }
}

/// A node, started as programs start theirs.
pub(super) fn start(runtime: &Rc<Runtime>) -> Result<Node> {
    let node = Catga::builder().service(|_| Core).service(|_| Shop);
    Ok(runtime.block_on(node.start())?)
}

const ANSWERS: &str = "the handler always answers";

impl Mediator for Node {
    #[inline]
    async fn command(&self, command: CoreCommand) -> Processed {
        self.send(command).await.expect(ANSWERS)
    }

    #[inline]
    async fn query(&self, query: CoreQuery) -> Found {
        self.ask(query).await.expect(ANSWERS)
    }

    #[inline]
    async fn event(&self, event: CoreEvent) {
        self.publish(event).await.expect(ANSWERS);
    }

    #[inline]
    async fn create(&self, order: CreateOrder) -> Created {
        self.send(order).await.expect(ANSWERS)
    }

    #[inline]
    async fn pay(&self, payment: PayOrder) -> Paid {
        self.send(payment).await.expect(ANSWERS)
    }

    #[inline]
    async fn get(&self, query: GetOrder) -> Order {
        self.ask(query).await.expect(ANSWERS)
    }

    #[inline]
    async fn order_created(&self, event: OrderCreated) {
        self.publish(event).await.expect(ANSWERS);
    }
}
