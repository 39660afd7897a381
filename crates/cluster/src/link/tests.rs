//! Links between nodes that are on one virtual clock, over streams in memory.

mod calls;
mod life;
mod meeting;
mod net;
mod node;
mod wire;

#[cfg(feature = "tls")]
pub(super) use self::net::Machine;
pub(super) use self::{
    net::Net,
    node::{Node, SECOND, address, go, ground, ms, options},
};
