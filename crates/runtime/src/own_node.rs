use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use catga_core::{Fault, FaultCode};

use crate::Node;
use crate::node::Inner;

/// The node that a service belongs to, for what a [`Client`](crate::Client) cannot ask: who is a
/// member of its cluster, or a query at a level of its own.
///
/// [`Wiring::own_node`](crate::Wiring::own_node) gives it before there is one.
#[derive(Clone)]
pub struct OwnNode {
    /// The services that hold it belong to the node, so it must not keep the node alive.
    node: Arc<OnceLock<Weak<Inner>>>,
}

impl OwnNode {
    pub(crate) fn new(node: Arc<OnceLock<Weak<Inner>>>) -> Self {
        Self { node }
    }

    /// The node. Whoever keeps it in the service itself keeps it from ever ending.
    ///
    /// # Errors
    /// A fault before the node has started, and after it has stopped.
    pub fn get(&self) -> Result<Node, Fault> {
        let Some(node) = self.node.get() else {
            return Err(Fault::new(FaultCode::Starting, "the node has not started yet"));
        };
        let stopped = || Fault::new(FaultCode::ShuttingDown, "the node has stopped");
        node.upgrade().map(Node).ok_or_else(stopped)
    }
}

impl fmt::Debug for OwnNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnNode")
    }
}
