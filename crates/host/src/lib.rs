//! The port through which Catga meets the machine: tasks, clocks, network, files and
//! randomness.
//!
//! Everything that a node does with the world goes through [`Host`], so that one seed can decide
//! everything in a simulation. [`TokioHost`] is the real one.
//!
//! This crate knows nothing of messages or journals.

mod deadlines;
mod disk;
mod files;
mod host;
mod network;
mod task;
mod timeout;
mod tokio_host;

pub use deadlines::{ByDeadline, Deadlines};
pub use disk::Disk;
pub use files::{File, Files, Lock, Open};
pub use host::{BoxFuture, Host};
pub use network::{Accept, Connection, Duplex, Listener};
pub use task::{Task, TaskEnd, TaskHandle};
pub use timeout::{Elapsed, Timeout, timeout};
pub use tokio_host::TokioHost;
