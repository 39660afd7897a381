//! Segment files: the one format of everything that is kept on disk.
//!
//! A file is a [`Head`] and then frames, each with a checksum, its length, its position in what
//! the file is a part of, and its own place in the file. So a frame that was torn, changed,
//! displaced, or left over from a former use of the bytes is told from a good one.
//!
//! Frames are written in batches by a [`SegmentWriter`]; the first frame of each batch says how
//! far the file was synced before it. By that, [`Scan`] tells a *torn tail* (what a loss of power
//! left of writes that nobody was told of) from *damage* (something that was safe and no longer
//! is): the one is cut, the other must never be passed over.

mod error;
mod frame;
mod head;
mod reader;
mod scan;
mod whole;
mod writer;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use error::SegmentError;
pub(crate) use frame::frame_bytes;
pub use frame::{Frame, FrameKind, PAYLOAD_MAX};
pub(crate) use head::set_first;
pub use head::{FileKind, Head};
pub use reader::SegmentReader;
pub use scan::{Scan, Tail};
pub use whole::{read_whole, remove_unfinished, write_whole};
pub use writer::SegmentWriter;

/// How many bytes are made durable at once of what nobody waits for. A log on the same disk waits
/// behind them when it syncs, so they are few; and they are enough that syncs are no burden.
pub(crate) const SYNC_BYTES: u64 = 512 << 10;
