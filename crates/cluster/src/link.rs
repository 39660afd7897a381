//! Links to the other nodes of a cluster: [`Peers`](crate::Peers) over streams of bytes.
//!
//! Each node dials each peer and keeps that one connection; its requests travel on it, and their
//! answers come back on it. So there are two connections between two nodes, one dialled by each.
//!
//! A connection begins with [TLS](tls), if that is set, and a [handshake], and is [frames](frame) from then on. What is sent waits
//! in an [outbox] with three [lanes](lane), from which the writer takes a [batch] whenever the
//! stream takes more. What comes is put together by the [assembly]. A [pulse] watches that
//! something is heard.
//!
//! The reading and the writing of one connection are one task, and so is the dialling around it;
//! each request that came is handled in a task of its own. All of them are spawned by
//! [`Shared::spawn`](shared::Shared::spawn).

mod lane;
mod options;
mod protocol;
mod secret;

mod frame;
mod pieces;

mod assembly;
mod batch;
mod outbox;
mod reader;

mod hello;

mod handshake;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "link/no_tls.rs"]
mod tls;
mod upgrade;

mod connection;
mod ground;
mod pulse;
mod stats;

mod calls;
mod room;
mod verdict;

mod dial;
mod dialled;
mod renewal;

mod accepted;
mod serving;
mod turn;

mod links;
mod shared;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use links::Links;
pub use options::LinkOptions;
pub use protocol::Protocol;
pub use secret::{Secret, SecretTooShort};
pub use stats::LinkStats;
#[cfg(feature = "tls")]
pub use tls::{
    Certificate, Credentials, Tls, TlsError, certificate_name, certificates_in, read_pem,
};
