//! The checksums of a segment file, which `catga_journal::segment` describes.

/// How many bytes the head of a file has.
const HEAD: usize = 64;

/// How many bytes stand before a frame's payload.
const FRAME: usize = 24;

/// Where in the head the salt of the frames is.
const SALT: usize = 24;

/// Writes the checksums of the file in `bytes` anew, of its head and of each frame, as far as frames
/// follow one another.
pub fn write_checksums(bytes: &mut [u8]) {
    if bytes.len() < HEAD {
        return;
    }
    let head = crc32c::crc32c(&bytes[..HEAD - 4]);
    bytes[HEAD - 4..HEAD].copy_from_slice(&head.to_le_bytes());
    let salt = crc32c::crc32c(&bytes[SALT..SALT + 8]);
    let mut at = HEAD;
    while let Some(frame) = bytes.get_mut(at..).filter(|left| left.len() >= FRAME) {
        let length = u32::from_le_bytes([frame[4], frame[5], frame[6], frame[7]]) as usize;
        let Some(whole) = frame.get_mut(..FRAME.saturating_add(length)) else { return };
        let checksum = crc32c::crc32c_append(salt, &whole[4..]);
        whole[..4].copy_from_slice(&checksum.to_le_bytes());
        at = (at + whole.len()).next_multiple_of(8);
    }
}
