use catga_core::payload_hash;

/// The hash over a sequence up to one of its parts, from that over the parts before. It is on disk
/// and compared between nodes, so it must never change.
pub(crate) fn rolled(hash: u64, part: &[u8]) -> u64 {
    let mut both = [0; 16];
    both[..8].copy_from_slice(&hash.to_le_bytes());
    both[8..].copy_from_slice(&payload_hash(part).to_le_bytes());
    payload_hash(&both)
}
