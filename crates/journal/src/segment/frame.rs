use bytes::Bytes;
use crc32c::{crc32c, crc32c_append};

/// How many bytes stand before a frame's payload: checksum, length, position, kind, place.
pub(super) const FRAME_BYTES: usize = 24;

/// Frames begin at multiples of this.
pub(super) const ALIGN: u64 = 8;

/// The longest payload. A length above it is damage, and nothing is reserved for it.
pub const PAYLOAD_MAX: usize = 256 << 20;

/// What a frame is. The kinds below [`FrameKind::OWNER`] are the format's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameKind(pub u32);

impl FrameKind {
    /// Begins a batch; its payload says how far the file was synced before it.
    pub(super) const BATCH: Self = Self(1);
    /// Says how far the file is synced.
    pub(super) const MARK: Self = Self(2);
    /// The last frame of a file that gets no more.
    pub(super) const SEAL: Self = Self(3);
    /// The first kind that means what the file's owner wants.
    pub const OWNER: Self = Self(16);
}

/// One frame as it was read: its checksum is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// Its position in what the file is a part of.
    pub position: u64,
    /// Where in the file it begins.
    pub at: u64,
    /// What it holds.
    pub payload: Bytes,
}

impl Frame {
    /// Where in the file the next frame begins.
    pub fn end(&self) -> u64 {
        end_of(self.at, self.payload.len())
    }
}

/// Where the frame after one at `at` with a payload of `len` bytes begins.
pub(super) fn end_of(at: u64, len: usize) -> u64 {
    (at + (FRAME_BYTES + len) as u64).next_multiple_of(ALIGN)
}

/// How many bytes of a file a frame with a payload of `len` bytes takes.
pub(crate) fn frame_bytes(len: usize) -> u64 {
    end_of(0, len)
}

/// The head of a frame.
#[derive(Clone, Copy)]
pub(super) struct FrameHead {
    pub(super) checksum: u32,
    pub(super) len: u32,
    pub(super) position: u64,
    pub(super) kind: u32,
    /// The frame's place in the file, in units of [`ALIGN`].
    pub(super) place: u32,
}

impl FrameHead {
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (checksum, bytes) = bytes.split_first_chunk()?;
        let (len, bytes) = bytes.split_first_chunk()?;
        let (position, bytes) = bytes.split_first_chunk()?;
        let (kind, bytes) = bytes.split_first_chunk()?;
        let (place, _) = bytes.split_first_chunk()?;
        Some(Self {
            checksum: u32::from_le_bytes(*checksum),
            len: u32::from_le_bytes(*len),
            position: u64::from_le_bytes(*position),
            kind: u32::from_le_bytes(*kind),
            place: u32::from_le_bytes(*place),
        })
    }

    /// True if it says that it stands at `at`. Bytes that are no frame hardly ever do.
    pub(super) fn is_at(&self, at: u64) -> bool {
        self.kind != 0 && u64::from(self.place) * ALIGN == at && self.len as usize <= PAYLOAD_MAX
    }
}

/// Appends the frame that will stand at `at`; its payload is `parts`, one after the other.
pub(super) fn put(
    out: &mut Vec<u8>,
    salt: u64,
    at: u64,
    kind: FrameKind,
    position: u64,
    parts: &[&[u8]],
) {
    let start = out.len();
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let len = u32::try_from(len).expect("a payload is below the limit");
    // A file is far smaller than 2^32 times the alignment.
    let place = u32::try_from(at / ALIGN).expect("a segment is below 32 GiB");
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&position.to_le_bytes());
    out.extend_from_slice(&kind.0.to_le_bytes());
    out.extend_from_slice(&place.to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    let checksum = checksum(salt, &out[start + 4..]);
    out[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
    let padded = (out.len() - start).next_multiple_of(ALIGN as usize);
    out.resize(start + padded, 0);
}

/// The checksum of a frame without its first four bytes, in a file with `salt`.
pub(super) fn checksum(salt: u64, rest: &[u8]) -> u32 {
    crc32c_append(crc32c(&salt.to_le_bytes()), rest)
}
