//! Which keys a table may have: a filter by hashes (Bloom, CACM 1970), whose many hashes are made
//! of two (Kirsch and Mitzenmacher, ESA 2006).

use catga_core::payload_hash;

/// How many bits there are for each key, and how many of them each key sets: of keys that a table
/// does not have, fewer than one in a hundred is looked for in it.
const KEY_BITS: u64 = 10;
const HASHES: u64 = 7;

/// The hash of a key. It is on disk, so it must never change.
pub(super) fn hash(key: &[u8]) -> u64 {
    payload_hash(key)
}

/// A set of keys that has every key that was put in, and a few others.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Filter(Vec<u8>);

impl Filter {
    /// One with room for `keys` keys.
    pub(super) fn with_room_for(keys: u64) -> Self {
        let bytes = (keys * KEY_BITS).div_ceil(8).max(8);
        Self(vec![0; usize::try_from(bytes).expect("it fits into memory")])
    }

    /// The filter with these bytes; none if they are too few to be one.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn put(&mut self, hash: u64) {
        for (byte, bit) in places(hash, self.0.len()) {
            self.0[byte] |= bit;
        }
    }

    /// False if no key with this hash was put in.
    pub(super) fn may_have(&self, hash: u64) -> bool {
        places(hash, self.0.len()).all(|(byte, bit)| self.0[byte] & bit != 0)
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").field("bytes", &self.0.len()).finish()
    }
}

/// The bits that stand for a key in a filter of so many bytes.
fn places(hash: u64, bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    let bits = bytes as u64 * 8;
    // The second hash; odd, so that it never is zero (the constant is that of SplitMix64).
    let step = hash.rotate_left(32).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..HASHES).map(move |number| {
        let mixed = hash.wrapping_add(number.wrapping_mul(step));
        // Its upper bits, scaled to the number of bits, as a division would but faster.
        let bit = (u128::from(mixed) * u128::from(bits)) >> 64;
        ((bit / 8) as usize, 1 << (bit % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_it_and_hardly_any_other() {
        let key = |number: u64| hash(format!("order-{number}").as_bytes());
        let mut filter = Filter::with_room_for(10_000);
        (0..10_000).for_each(|number| filter.put(key(number)));
        assert!((0..10_000).all(|number| filter.may_have(key(number))));
        let others = (10_000..110_000).filter(|number| filter.may_have(key(*number)));
        let others = others.count();
        assert!(others < 1500, "{others} of 100000");
    }
}
