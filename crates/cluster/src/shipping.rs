//! How a snapshot gets from the leader to a node that is too far behind.

mod assembly;
mod in_memory;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_host::BoxFuture;

use crate::wire::WireError;
use crate::{CallError, NodeId, Peers, Recipient, Snapshot, Vote};

pub(crate) use self::in_memory::InMemory;

/// Sends snapshots, and takes those that are sent.
///
/// # Contract
/// 1. A snapshot is given out by [`receive`](Self::receive) whole and unchanged, or not at all.
/// 2. Sending again what was interrupted goes on where it was, as far as the receiver kept it.
/// 3. What a receiver keeps is bounded, and belongs to one snapshot at a time.
pub(crate) trait SnapshotShipping: Send + Sync + 'static {
    /// Sends `snapshot`, on behalf of the leader of `vote`, until the receiver has installed it;
    /// gives the receiver's vote. Between two signs of progress no more than `patience` passes.
    ///
    /// # Cancel safety
    /// Dropping the future interrupts it.
    fn send(
        &self,
        peers: Arc<dyn Peers>,
        to: Recipient,
        vote: Vote,
        snapshot: Snapshot,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Vote, ShipError>>;

    /// Takes what [`send`](Self::send) has sent from node `from` to this node, whose vote is `mine`.
    ///
    /// # Errors
    /// Why it was not taken; nothing has changed.
    fn receive(&self, from: NodeId, mine: Vote, request: Bytes) -> Result<Received, String>;

    /// The answer to the request that completed a snapshot, once it is installed, or this node's
    /// vote turned out to be higher. What was kept of it is dropped.
    fn installed(&self, snapshot: Arrived, vote: Vote) -> Bytes;
}

/// What has come of a request.
pub(crate) enum Received {
    /// There is more to come; what to answer.
    Part(Bytes),
    /// All is there: install it.
    Whole(Box<Arrived>),
}

/// A snapshot that has come from the leader of a vote.
#[derive(Clone)]
pub(crate) struct Arrived {
    pub(crate) vote: Vote,
    pub(crate) snapshot: Snapshot,
}

/// Why a snapshot was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShipError {
    #[error(transparent)]
    Call(CallError),
    #[error(transparent)]
    Answer(WireError),
    #[error("the receiver has {has} bytes of {total} after it was sent {sent}")]
    NoProgress { has: u64, sent: u64, total: u64 },
}
