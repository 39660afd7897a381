//! Processes of the service: one alone, or several that are one cluster.
//!
//! A [`Server`] is a process; [`Servers`] are those that belong together. What each of them says
//! goes into a file beside its data, and none outlives whoever started it.

mod error;
mod options;
mod server;
mod servers;
mod status;

pub use self::error::ServerError;
pub use self::options::ServerOptions;
pub use self::server::{Server, free_port};
pub use self::servers::Servers;
pub use self::status::{Journal, MemberStatus, Status};
