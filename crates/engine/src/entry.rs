use bytes::Bytes;
use catga_core::Timestamp;

use crate::{Effect, codec};

/// The largest encoded entry that is read, in bytes.
///
/// A log passes entries whole from disk to peers, so one must never be a large part of memory.
pub const MAX_ENTRY_BYTES: usize = 64 * 1024 * 1024;

/// The most effects in an entry that is read: what an entry takes in memory must not be a large
/// multiple of its bytes.
pub const MAX_ENTRY_EFFECTS: usize = 64 * 1024;

/// One entry of the log: a batch of effects, and the time that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The version of the engine's rules that a node must know to decide it.
    pub engine: u32,
    /// Journal time since the previous entry, in milliseconds of the leader's monotonic clock.
    pub elapsed_ms: u64,
    /// The leader's wall clock.
    pub wall: Timestamp,
    /// The effects, in the order in which they are decided.
    pub effects: Vec<Effect>,
}

impl Entry {
    /// The entry as bytes for the log.
    ///
    /// The caller keeps it within [`MAX_ENTRY_BYTES`] and [`MAX_ENTRY_EFFECTS`]; more is never read
    /// again.
    pub fn encode(&self) -> Bytes {
        self.encode_after(Vec::new())
    }

    /// `before`, and after it what [`encode`](Self::encode) gives.
    pub fn encode_after(&self, before: Vec<u8>) -> Bytes {
        codec::encode(self, before)
    }

    /// Reads an entry. Payloads, answers and values share `bytes`; nothing of them is copied.
    ///
    /// # Errors
    /// When the bytes are too many, are no entry, or come from a newer engine and say what this
    /// one does not know.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeEntryError> {
        codec::decode(bytes)
    }
}

/// Why bytes cannot be read as an entry. A node that cannot read a committed entry must stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeEntryError {
    /// More than [`MAX_ENTRY_BYTES`].
    #[error("an entry of {bytes} bytes is over the limit of {MAX_ENTRY_BYTES}")]
    TooLarge {
        /// How many there are.
        bytes: usize,
    },
    /// More than [`MAX_ENTRY_EFFECTS`].
    #[error("an entry of {effects} effects is over the limit of {MAX_ENTRY_EFFECTS}")]
    TooManyEffects {
        /// How many there are.
        effects: usize,
    },
    /// The bytes break the format.
    #[error("not an entry: it has {reason}")]
    Malformed {
        /// Where they do.
        reason: &'static str,
    },
    /// A field that must be there is not, or says what this build does not know.
    #[error("an entry without a known {field}")]
    Unknown {
        /// The field.
        field: &'static str,
    },
    /// A field does not hold what it must.
    #[error("an entry whose {field} is not valid")]
    Invalid {
        /// The field.
        field: &'static str,
    },
    /// A newer engine wrote it, in words that this one does not know.
    #[error("an entry of engine version {engine}, which this build cannot read")]
    NewerEngine {
        /// The entry's engine version.
        engine: u32,
    },
}
