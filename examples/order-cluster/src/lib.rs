//! The order service: what can be asked ([`messages`]), what an order is ([`order`]), what is read
//! ([`book`]), who answers ([`service`]), where it stands on the web ([`routes`]), and how it is
//! put to the test ([`trial`]).

pub mod book;
pub mod messages;
pub mod order;
pub mod routes;
pub mod service;
pub mod trial;
