use std::path::Path;

use catga_host::File;
use crc32c::crc32c;

use super::SegmentError;

/// The version of the layout of heads and frames.
pub(super) const FORMAT: u32 = 1;

/// How many bytes a head takes; the first frame follows.
pub(super) const HEAD_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"catgaseg";

/// What stands at the beginning of a file: what it is and where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the file holds.
    pub kind: FileKind,
    /// The position of its first frame.
    pub first: u64,
    /// What the checksums of its frames begin with. Drawn anew for every use of a file's bytes, so
    /// that frames of a former use do not pass for frames of this one; for files that must be equal
    /// on all nodes it follows from what they hold.
    pub salt: u64,
    /// What the file's owner wants to know of it.
    pub note: u64,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// Records of a log.
    Log,
    /// Effects that counted.
    History,
    /// A sorted table of an index.
    Index,
    /// A checkpoint of the engine, with the files that belong to it.
    Checkpoint,
    /// The place in the log and the membership of a checkpoint.
    Snapshot,
    /// Whose data directory it is.
    Identity,
    /// A projection as it was folded up to some position.
    View,
    /// With whom a cluster began.
    Charter,
    /// What one backup consists of.
    Backup,
}

impl FileKind {
    const ALL: [Self; 9] = [
        Self::Log,
        Self::History,
        Self::Index,
        Self::Checkpoint,
        Self::Snapshot,
        Self::Identity,
        Self::View,
        Self::Charter,
        Self::Backup,
    ];

    const fn code(self) -> u32 {
        match self {
            Self::Log => 1,
            Self::History => 2,
            Self::Index => 3,
            Self::Checkpoint => 4,
            Self::Snapshot => 5,
            Self::Identity => 6,
            Self::View => 7,
            Self::Charter => 8,
            Self::Backup => 9,
        }
    }
}

/// Why bytes are not a head.
pub(super) enum NoHead {
    /// They are damaged or of something else.
    Damaged(&'static str),
    /// Another build wrote them.
    Format(u32),
}

impl Head {
    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.kind.code().to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.salt.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.note.to_le_bytes());
        let checksum = crc32c(&bytes[..HEAD_BYTES - 4]);
        bytes[HEAD_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEAD_BYTES]) -> Result<Self, NoHead> {
        let u32_at = |at: usize| {
            let four = bytes[at..at + 4].try_into();
            u32::from_le_bytes(four.expect("four bytes"))
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if bytes[..8] != *MAGIC {
            return Err(NoHead::Damaged("it does not begin as a segment does"));
        }
        if crc32c(&bytes[..HEAD_BYTES - 4]) != u32_at(HEAD_BYTES - 4) {
            return Err(NoHead::Damaged("the checksum of its head differs"));
        }
        if u32_at(8) != FORMAT {
            return Err(NoHead::Format(u32_at(8)));
        }
        let kind = FileKind::ALL.into_iter().find(|kind| kind.code() == u32_at(12));
        let kind = kind.ok_or(NoHead::Damaged("it is of a kind that this build does not know"))?;
        Ok(Self { kind, first: u64_at(16), salt: u64_at(24), note: u64_at(32) })
    }
}

/// Has the file's head say that it begins with another position. Its frames stay as they are: their
/// checksums begin with the salt. To be synced.
///
/// # Errors
/// When it cannot be read or written, or has no good head.
pub(crate) fn set_first(file: &dyn File, path: &Path, first: u64) -> Result<(), SegmentError> {
    let mut bytes = [0; HEAD_BYTES];
    file.read_at(&mut bytes, 0).map_err(|error| SegmentError::io(path, error))?;
    let head = Head::decode(&bytes).map_err(|_| SegmentError::Damaged {
        path: path.to_owned(),
        at: 0,
        what: "it has no good head",
    })?;
    let bytes = Head { first, ..head }.encode();
    file.write_at(&bytes, 0).map_err(|error| SegmentError::io(path, error))
}
