use std::convert::Infallible;

use async_trait::async_trait;
use mediator_rs::{Handler, Request};

use super::super::mediator::Mediator;
use super::super::messages::{
    CoreCommand, CoreEvent, CoreQuery, CreateOrder, Created, Found, GetOrder, Order, OrderCreated,
    Paid, PayOrder, Processed,
};
use super::super::work;

/// Its mediator without behaviours. It has no events.
type Plain = mediator_rs::Mediator<(), Infallible>;

struct Handlers;

impl Request for CoreCommand {
    type Output = Processed;
}

impl Request for CoreQuery {
    type Output = Found;
}

impl Request for CreateOrder {
    type Output = Created;
}

impl Request for PayOrder {
    type Output = Paid;
}

impl Request for GetOrder {
    type Output = Order;
}

#[async_trait]
impl Handler<CoreCommand, Infallible, ()> for Handlers {
    async fn handle(&self, command: CoreCommand, _: &()) -> Result<Processed, Infallible> {
        Ok(work::command(command))
    }
}

#[async_trait]
impl Handler<CoreQuery, Infallible, ()> for Handlers {
    async fn handle(&self, query: CoreQuery, _: &()) -> Result<Found, Infallible> {
        Ok(work::query(query))
    }
}

#[async_trait]
impl Handler<CreateOrder, Infallible, ()> for Handlers {
    async fn handle(&self, order: CreateOrder, _: &()) -> Result<Created, Infallible> {
        Ok(work::create(order))
    }
}

#[async_trait]
impl Handler<PayOrder, Infallible, ()> for Handlers {
    async fn handle(&self, payment: PayOrder, _: &()) -> Result<Paid, Infallible> {
        Ok(work::pay(payment))
    }
}

#[async_trait]
impl Handler<GetOrder, Infallible, ()> for Handlers {
    async fn handle(&self, query: GetOrder, _: &()) -> Result<Order, Infallible> {
        Ok(work::get(query))
    }
}

pub(in crate::local) fn start() -> Plain {
    let mut mediator = Plain::new();
    mediator.register::<CoreCommand, _>(Handlers);
    mediator.register::<CoreQuery, _>(Handlers);
    mediator.register::<CreateOrder, _>(Handlers);
    mediator.register::<PayOrder, _>(Handlers);
    mediator.register::<GetOrder, _>(Handlers);
    mediator
}

const ANSWERS: &str = "the handler was registered";

impl Mediator for Plain {
    const EVENTS: bool = false;

    async fn command(&self, command: CoreCommand) -> Processed {
        self.dispatch(command, &()).await.expect(ANSWERS)
    }

    async fn query(&self, query: CoreQuery) -> Found {
        self.dispatch(query, &()).await.expect(ANSWERS)
    }

    async fn event(&self, _: CoreEvent) {}

    async fn create(&self, order: CreateOrder) -> Created {
        self.dispatch(order, &()).await.expect(ANSWERS)
    }

    async fn pay(&self, payment: PayOrder) -> Paid {
        self.dispatch(payment, &()).await.expect(ANSWERS)
    }

    async fn get(&self, query: GetOrder) -> Order {
        self.dispatch(query, &()).await.expect(ANSWERS)
    }

    async fn order_created(&self, _: OrderCreated) {}
}
