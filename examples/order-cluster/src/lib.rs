//! The order service: what can be asked ([`messages`]), what an order is ([`order`]), what is read
//! ([`book`]), who answers ([`service`]), and where it stands on the web ([`routes`]).

pub mod book;
pub mod messages;
pub mod order;
pub mod routes;
pub mod service;
