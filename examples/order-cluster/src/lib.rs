//! The order service: what can be asked ([`messages`]), what an order is ([`order`]), what is read
//! ([`book`]), who answers ([`service`]), and where it stands on the web ([`routes`]). Around it:
//! how it is asked ([`client`]), how its processes are started and stopped ([`fleet`]), what they
//! prove by that they are themselves ([`certificates`]), and how it is put to the test ([`trial`]).

pub mod book;
pub mod certificates;
pub mod client;
pub mod fleet;
pub mod messages;
pub mod order;
pub mod routes;
pub mod service;
pub mod trial;
