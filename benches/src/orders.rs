//! The order service that all but `local` and `growth` measure: what a real one has, and no more.

mod book;
mod layers;
mod messages;
mod routes;
mod service;

pub(crate) use self::messages::{CountOrders, CreateOrder, GetOrder, Order, OrderId};
pub(crate) use self::routes::routes;
pub(crate) use self::service::{start, start_in, start_on};

/// The bytes of one command as they are stored.
pub(crate) const PAYLOAD_BYTES: usize = 256;
