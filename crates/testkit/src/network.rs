//! The network between simulated machines: connections as TCP gives them, over paths that can be
//! slow or cut.
//!
//! Machines are attached to a [`SimNetwork`] by
//! [`VirtualHost::in_network`](crate::VirtualHost::in_network), each under a name. What it models
//! of TCP:
//!
//! - A connection is two directions of bytes, each in order and complete. What is written arrives
//!   after a latency that is drawn from the seed, now and then in two parts; what is read has no
//!   boundaries.
//! - A direction takes 256 KiB that the reader has not read; then the writer waits until it is told
//!   of room, by an acknowledgement that travels back.
//! - Shutting down or dropping says so behind everything written. Dropping with bytes unread, and
//!   whatever arrives where nobody holds the connection any more, is answered by a reset.
//! - A process that ends closes what it held. A machine without power tells nobody; once it is back
//!   it answers what is sent again with a reset, because it knows of no connection.
//! - A [cut](SimNetwork::cut) loses what goes one way, and the sender sends it again after the
//!   [heal](SimNetwork::heal): so it is late, and never missing.
//! - A connection is made by a round trip. Nobody listening refuses it; no answer lets it wait; a
//!   full backlog lets it try again after a second.
//!
//! What it does not model: packets, congestion and bandwidth; loss that TCP repairs in less than
//! the latency given; keepalives and TCP's own giving up after minutes, so that a connection to a
//! machine without power stays silent for ever; urgent data, lingering, and states after a close.
//! A reset comes in order behind what was sent before it. Names are resolved at once.
//!
//! Time is that of tokio, which should be paused, and whose timers count whole milliseconds: what
//! arrives within one millisecond arrives at its end, in the right order.

mod address;
mod attempt;
mod close;
mod connection;
mod counts;
mod delivery;
mod machine;
mod net;
mod paths;
mod power;
mod sending;

mod attachment;
mod listener;
mod sim_network;
mod stream;
mod wire;

pub(crate) use attachment::Attachment;
pub use counts::Counts;
pub use sim_network::SimNetwork;
