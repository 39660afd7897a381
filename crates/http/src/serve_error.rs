use std::io;
use std::net::SocketAddr;

use catga_core::Fault;

use crate::{AdminTokenError, RoutesError};

/// Why a server did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Another program has the port.
    #[error(
        "cannot listen on {0}: another program listens there; stop it, or choose another port \
         with the environment variable PORT"
    )]
    PortInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the machine said.
        reason: io::Error,
    },
    /// An environment variable has a value that cannot be used.
    #[error("the environment variable {name} is `{value}`: {expected}")]
    Environment {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it must hold.
        expected: &'static str,
    },
    /// The token of operators cannot be used.
    #[error("the environment variable ADMIN_TOKEN: {0}")]
    AdminToken(AdminTokenError),
    /// The routes do not fit together.
    #[error(transparent)]
    Routes(#[from] RoutesError),
    /// The signals that end the server cannot be heard.
    #[error("cannot listen for the signals that end the server: {0}")]
    Signals(io::Error),
    /// A second signal ended the server before it had drained.
    #[error("a second signal came: the server ends without waiting for what is under way")]
    Forced,
    /// The node cannot go on, as when its disk fails.
    #[error("the node cannot go on: {0}")]
    Node(Fault),
}

impl ServeError {
    pub(crate) fn listen(address: SocketAddr, reason: io::Error) -> Self {
        match reason.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse(address),
            _ => Self::Listen { address, reason },
        }
    }
}
