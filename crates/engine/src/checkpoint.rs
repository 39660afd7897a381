//! The whole engine as bytes, and back.
//!
//! Layout, all numbers 64-bit little-endian and every text and value with its length before it:
//! the magic and the format's version; the engine's own numbers; nodes with their starts and
//! sessions; outside keys, oldest first; streams, records and tags, each by name; and the XXH3 of
//! all that. What has expired is left out. So two engines that hold the same give the same bytes.

mod bytes;
mod read;
mod write;

/// Names the format: a checkpoint of an engine.
const MAGIC: &[u8; 8] = b"catgaeng";

/// The version of the layout.
const FORMAT: u64 = 1;

/// Offsets and versions above this are damage; below it they can be counted up without a check.
const NUMBER_MAX: u64 = 1 << 62;

/// Why bytes cannot be restored as a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// They do not begin as a checkpoint does.
    #[error("not a checkpoint of an engine")]
    NotACheckpoint,
    /// A build with another layout wrote them.
    #[error("a checkpoint of format {found}, and this build reads format {FORMAT}")]
    Format {
        /// Their format.
        found: u64,
    },
    /// They are not what was written: the checksum differs.
    #[error("the checkpoint is damaged: its checksum differs")]
    Checksum,
    /// The engine that wrote them decides by newer rules.
    #[error("a checkpoint of engine version {version}, which this build does not know")]
    NewerEngine {
        /// Its version.
        version: u32,
    },
    /// They hold what no engine writes.
    #[error("the checkpoint is damaged: its {what} cannot be")]
    Corrupt {
        /// Where.
        what: &'static str,
    },
}
