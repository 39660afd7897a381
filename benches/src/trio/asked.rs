//! What the parent asks a node: one line of JSON each way.

use serde::{Deserialize, Serialize};

use crate::orders::OrderId;

/// A question or an order to a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Who leads? A name, or nothing.
    Leader,
    /// Let clients in this process work. What they measured.
    Load(Load),
    /// Is everything there that was acknowledged? An [`Audit`].
    Audit {
        /// How many orders were acknowledged to each customer.
        acknowledged: Vec<(String, u64)>,
        /// And which.
        orders: Vec<OrderId>,
    },
}

/// Clients in the process of a node.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) work: Work,
    pub(crate) clients: usize,
    pub(crate) ms: u64,
}

/// What each of them does over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Sends the command of an order.
    Write,
    /// Reads an order from the node's own book.
    ReadLocal,
    /// Reads an order, and everything that was acknowledged before shows.
    ReadLinearizable,
}

/// What is wrong with what a node has.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Audit {
    /// Orders that were acknowledged and are not there.
    pub(crate) lost: u64,
    /// Orders beyond those that were acknowledged.
    pub(crate) doubled: u64,
}
