//! How a snapshot gets from the leader to a node that is too far behind.

mod assembly;
mod by_pieces;
mod in_memory;
mod installing;
mod reading;
mod receiving;

#[cfg(test)]
mod fuzz;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_core::Fault;
use catga_host::{BoxFuture, Host};
use catga_journal::Applier;

use self::by_pieces::ByPieces;
use self::in_memory::InMemory;
pub(crate) use self::installing::Installing;
use crate::wire::WireError;
use crate::{CallError, NodeId, Options, Peers, Recipient, Snapshot, Vote};

/// Sends snapshots, and takes those that are sent.
///
/// # Contract
/// 1. A snapshot is installed whole and unchanged, or not at all.
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

    /// Takes what [`send`](Self::send) has sent from node `from` to this node, whose vote is
    /// `mine`, and has `raft` install what is whole; the answer.
    ///
    /// # Errors
    /// Why it was not taken; nothing has changed.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the answer.
    fn receive(
        &self,
        from: NodeId,
        mine: Vote,
        request: Bytes,
        into: &Installing,
    ) -> BoxFuture<'static, Result<Bytes, String>>;

    /// Takes nothing more, and ends what was begun.
    fn stop(&self) {}
}

/// How the snapshots of `applier` are shipped.
pub(crate) fn of(
    host: &Arc<dyn Host>,
    options: &Options,
    applier: &dyn Applier,
) -> Arc<dyn SnapshotShipping> {
    let part_bytes = options.snapshot_part_bytes;
    match applier.pieces() {
        Some(pieces) => {
            let (host, patience) = (Arc::clone(host), options.snapshot_timeout);
            Arc::new(ByPieces::new(host, pieces, part_bytes, patience))
        }
        None => Arc::new(InMemory::new(part_bytes)),
    }
}

/// A snapshot that has come from the leader of a vote.
#[derive(Clone)]
struct Arrived {
    vote: Vote,
    snapshot: Snapshot,
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
    #[error("the receiver wants the same part again and again")]
    Again,
    #[error("cannot read what is to be sent: {0}")]
    Read(Fault),
}
