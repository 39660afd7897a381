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

    /// Looks whether a piece is here what it should be, because the receiver found that it is not:
    /// if it is damaged, it is [mended](Mending) then.
    fn doubt(&mut self, piece: u32);
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

/// Parts of an applier's history that were damaged on this node, as by a disk that lost a bit: no
/// reader is given them, and another node has them whole.
///
/// Calls wait for the disk, so they belong on a thread that may block.
///
/// # Contract
/// 1. What is damaged is [told](Self::damaged) until it is mended or a snapshot took its place.
/// 2. What was mended has the same records as before, which a hash shows.
/// 3. While something is damaged the rest is served, and commands go on.
pub trait Mending: Send + Sync + 'static {
    /// Ready once more was found damaged.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    fn noticed(&self) -> BoxFuture<'_, ()>;

    /// Reads all of the first file that begins after the offset `after`, so that damage shows before
    /// somebody needs what it was; with what it begins. None if there is none.
    fn scrub(&self, after: u64) -> Option<u64>;

    /// What is damaged here.
    fn damaged(&self) -> Vec<HistorySegment>;

    /// At most `bytes` bytes, from `offset` on, of what this node has of `segment`; none if it does
    /// not have all of it.
    ///
    /// # Errors
    /// When that cannot be read here either.
    fn part(
        &self,
        segment: &HistorySegment,
        offset: u64,
        bytes: usize,
    ) -> Result<Option<HistoryPart>, Fault>;

    /// True if this node has the effects up to `last`, and a snapshot would bring them into its files.
    fn is_behind(&self, last: u64) -> bool;

    /// Begins to mend `segment` by a file of `length` bytes from another node, which is its only
    /// piece. It is in its place when nothing more is wanted.
    ///
    /// # Errors
    /// When storage failed.
    fn mend(&self, segment: &HistorySegment, length: u64) -> Result<Box<dyn Incoming>, Fault>;
}

/// Effects that stand in one file of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistorySegment {
    /// The offset of the first.
    pub first: u64,
    /// The offset of the last.
    pub last: u64,
    /// The hash over them.
    pub hash: u64,
    /// True if the file gets no more, so that all of it must be the same.
    pub is_sealed: bool,
}

/// What another node has of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPart {
    /// How many bytes all of it has there.
    pub length: u64,
    /// Those that were asked for.
    pub bytes: Bytes,
}
