//! The order service that `journal` and `edge` measure: what a real one has, and no more.

mod book;
mod layers;
mod messages;
mod service;

pub(crate) use self::messages::{CreateOrder, GetOrder, Order, OrderId};
pub(crate) use self::service::{start, start_on};

/// The bytes of one command as they are stored.
pub(crate) const PAYLOAD_BYTES: usize = 256;
