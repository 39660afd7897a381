//! What the handlers of all subjects do, and the messages that they get.

use std::hint::black_box;

use catga::Uuid;

use super::messages::{
    CoreCommand, CoreEvent, CoreQuery, CreateOrder, Created, Found, GetOrder, Order, OrderCreated,
    Paid, PayOrder, Processed,
};

#[inline(never)]
pub(super) fn command(command: CoreCommand) -> Processed {
    Processed { id: command.id, text: ["Processed: ", &command.data].concat() }
}

#[inline(never)]
pub(super) fn query(query: CoreQuery) -> Found {
    Found { id: query.id, text: "Query result".into() }
}

#[inline(never)]
pub(super) fn create(order: CreateOrder) -> Created {
    black_box(order);
    Created { order_id: random_id(), status: "Created".into() }
}

#[inline(never)]
pub(super) fn pay(payment: PayOrder) -> Paid {
    black_box(payment);
    let letters = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let random = fastrand::u128(..).to_le_bytes();
    let text = random.map(|byte| letters[usize::from(byte % 32)]).to_vec();
    Paid { transaction: String::from_utf8(text).expect("the letters are ASCII") }
}

#[inline(never)]
pub(super) fn get(query: GetOrder) -> Order {
    Order { order_id: query.order_id, status: "Created".into(), amount: 99.99 }
}

/// An empty subscriber.
#[inline(never)]
pub(super) fn seen<E>(event: &E) {
    black_box(event);
}

pub(super) fn a_command() -> CoreCommand {
    CoreCommand { id: 1, data: "test".to_owned() }
}

pub(super) fn a_query() -> CoreQuery {
    CoreQuery { id: 1 }
}

pub(super) fn an_event() -> CoreEvent {
    CoreEvent { id: 1, data: "data".to_owned() }
}

pub(super) fn an_order() -> CreateOrder {
    CreateOrder { customer_id: 123, product_id: "PROD-001".to_owned(), quantity: 2, price: 99.99 }
}

pub(super) fn a_payment() -> PayOrder {
    PayOrder { order_id: 789, amount: 99.99, method: "Alipay".to_owned() }
}

pub(super) fn a_get() -> GetOrder {
    GetOrder { order_id: 789 }
}

pub(super) fn created(order_id: Uuid) -> OrderCreated {
    OrderCreated { order_id, customer_id: 123, amount: 99.99 }
}

/// Random enough; asking the operating system would cost more than all the rest.
fn random_id() -> Uuid {
    Uuid::from_u128(fastrand::u128(..))
}
