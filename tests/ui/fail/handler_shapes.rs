//! Methods that are no handlers, each in its own way.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use orders::*;

struct Orders;

#[service]
impl Orders {
    async fn by_reference(&self, _cmd: &CreateOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }

    async fn without_self(_cmd: CreateOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }

    async fn exclusive(&mut self, _cmd: CreateOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }

    fn blocking(&self, _cmd: CreateOrder) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }

    async fn without_message(&self) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }

    async fn without_answer(&self, _cmd: CreateOrder) {}

    async fn generic<M>(&self, _message: M) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }

    async fn tx_by_value(&self, _cmd: CreateOrder, _tx: Tx) -> Answer<Order, OrderError> {
        Err(OrderError::NotFound.into())
    }
}

fn main() {}
