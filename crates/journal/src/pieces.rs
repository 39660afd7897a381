use bytes::Bytes;
use catga_core::Fault;
use catga_host::BoxFuture;

use crate::LogSnapshot;

/// The pieces that an applier's snapshots consist of, where a snapshot only names them: it is a
/// manifest then, and a log that ships it brings the pieces first, in parts of whatever size.
///
/// Calls wait for the disk, so they belong on a thread that may block.
///
/// # Contract
/// 1. What [`open`](Self::open) gave can be read unchanged as long as it is held, whatever the
///    applier does meanwhile.
/// 2. Once nothing more is [wanted](Incoming::wanted), the applier's
///    [`install`](crate::Applier::install) finds every piece, each checked. It is the only one that
///    may run until then: [`receive`](Self::receive) may drop the pieces of another snapshot.
/// 3. A piece that has come to its end is not wanted again for any snapshot that has it, whoever
///    sends it, and neither is one that the applier's own state has. That holds over restarts too.
///    Of a piece that was interrupted, what had come is kept for the same source.
/// 4. What was received is bounded by the pieces of one snapshot.
pub trait Pieces: Send + Sync + 'static {
    /// Opens the pieces of a snapshot that this applier made or installed.
    ///
    /// # Errors
    /// When they are not there any more, as where newer snapshots were made since.
    fn open(&self, snapshot: &LogSnapshot) -> Result<Box<dyn Outgoing>, Fault>;

    /// Begins to take the pieces of a snapshot from the node with the number `source`, or goes on
    /// with it.
    ///
    /// # Errors
    /// When the snapshot is none that this applier can install, or storage failed.
    ///
    /// # Cancel safety
    /// What has come stays.
    fn receive(
        &self,
        snapshot: LogSnapshot,
        source: u64,
    ) -> BoxFuture<'static, Result<Box<dyn Incoming>, Fault>>;
}

/// The pieces of a snapshot that is sent.
pub trait Outgoing: Send + 'static {
    /// The snapshot as the receiver must get it.
    fn snapshot(&self) -> &LogSnapshot;

    /// At most `bytes` bytes that stand at `from`; fewer where the piece ends.
    ///
    /// # Errors
    /// When there is no such place, or storage failed.
    fn read(&mut self, from: PiecePlace, bytes: usize) -> Result<Bytes, Fault>;
}

/// The pieces of a snapshot that comes.
pub trait Incoming: Send + 'static {
    /// What must come next; none if everything is here.
    fn wanted(&self) -> Option<PiecePlace>;

    /// Takes what stands at `at`, if it is wanted there; anything else came late or twice, and
    /// changes nothing. What turns out to be damaged is wanted again.
    ///
    /// # Errors
    /// When a piece was damaged as often as it came, or storage failed. What is wanted may be taken
    /// nevertheless.
    ///
    /// # Cancel safety
    /// Dropping the future leaves what is wanted unknown: go on with [`Pieces::receive`].
    fn take<'a>(&'a mut self, at: PiecePlace, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), Fault>>;
}

/// A place in the pieces of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PiecePlace {
    /// Which piece, in the snapshot's order.
    pub piece: u32,
    /// Which of its bytes.
    pub offset: u64,
}
