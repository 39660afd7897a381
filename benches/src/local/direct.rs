use std::hint::black_box;

use super::mediator::Mediator;
use super::messages::{
    CoreCommand, CoreEvent, CoreQuery, CreateOrder, Created, Found, GetOrder, Order, OrderCreated,
    Paid, PayOrder, Processed,
};
use super::work;

/// No mediator: the work, called.
pub(super) struct Direct;

impl Mediator for Direct {
    #[inline]
    async fn command(&self, command: CoreCommand) -> Processed {
        work::command(black_box(command))
    }

    #[inline]
    async fn query(&self, query: CoreQuery) -> Found {
        work::query(black_box(query))
    }

    #[inline]
    async fn event(&self, event: CoreEvent) {
        work::seen(black_box(&event));
    }

    #[inline]
    async fn create(&self, order: CreateOrder) -> Created {
        work::create(black_box(order))
    }

    #[inline]
    async fn pay(&self, payment: PayOrder) -> Paid {
        work::pay(black_box(payment))
    }

    #[inline]
    async fn get(&self, query: GetOrder) -> Order {
        work::get(black_box(query))
    }

    #[inline]
    async fn order_created(&self, event: OrderCreated) {
        for _ in 0..3 {
            work::seen(black_box(&event));
        }
    }

    #[inline]
    async fn create_ten(&self) -> [Created; 10] {
        std::array::from_fn(|_| work::create(black_box(work::an_order())))
    }
}
