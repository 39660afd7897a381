use std::cell::RefCell;

use mediator::{DefaultMediator, Mediator as _};

use super::super::mediator::Mediator;
use super::super::messages::{
    CoreCommand, CoreEvent, CoreQuery, CreateOrder, Created, Found, GetOrder, Order, OrderCreated,
    Paid, PayOrder, Processed,
};
use super::super::work;

/// Its synchronous mediator, behind a cell, since it is called by `&mut`.
pub(in crate::local) struct Sync(RefCell<DefaultMediator>);

impl mediator::Request<Processed> for CoreCommand {}
impl mediator::Request<Found> for CoreQuery {}
impl mediator::Event for CoreEvent {}
impl mediator::Request<Created> for CreateOrder {}
impl mediator::Request<Paid> for PayOrder {}
impl mediator::Request<Order> for GetOrder {}
impl mediator::Event for OrderCreated {}

pub(in crate::local) fn start() -> Sync {
    let mediator = DefaultMediator::builder()
        .add_handler_fn(work::command)
        .add_handler_fn(work::query)
        .subscribe_fn(|event: CoreEvent| work::seen(&event))
        .add_handler_fn(work::create)
        .add_handler_fn(work::pay)
        .add_handler_fn(work::get)
        .subscribe_fn(|event: OrderCreated| work::seen(&event))
        .subscribe_fn(|event: OrderCreated| work::seen(&event))
        .subscribe_fn(|event: OrderCreated| work::seen(&event))
        .build();
    Sync(RefCell::new(mediator))
}

const ANSWERS: &str = "the handler was added";

impl Sync {
    #[inline]
    fn send<M: mediator::Request<R> + 'static, R: 'static>(&self, message: M) -> R {
        self.0.borrow_mut().send(message).expect(ANSWERS)
    }

    #[inline]
    fn publish<E: mediator::Event + 'static>(&self, event: E) {
        self.0.borrow_mut().publish(event).expect(ANSWERS);
    }
}

impl Mediator for Sync {
    async fn command(&self, command: CoreCommand) -> Processed {
        self.send(command)
    }

    async fn query(&self, query: CoreQuery) -> Found {
        self.send(query)
    }

    async fn event(&self, event: CoreEvent) {
        self.publish(event);
    }

    async fn create(&self, order: CreateOrder) -> Created {
        self.send(order)
    }

    async fn pay(&self, payment: PayOrder) -> Paid {
        self.send(payment)
    }

    async fn get(&self, query: GetOrder) -> Order {
        self.send(query)
    }

    async fn order_created(&self, event: OrderCreated) {
        self.publish(event);
    }

    async fn create_ten(&self) -> [Created; 10] {
        std::array::from_fn(|_| self.send(work::an_order()))
    }
}
