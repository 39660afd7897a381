//! A block: changes one after the other, sorted by key. Of each the lengths of key and value,
//! 32-bit little-endian, and both; the length of a deleted one's value is [`DELETED`].

use std::ops::Range;

use bytes::{Buf, BufMut};

/// What stands for the length of a value that there is none of.
const DELETED: u32 = u32::MAX;

/// Where in a block a change is. A change by itself would count references for each key that is
/// only looked at.
#[derive(Clone, Debug)]
pub(super) struct Place {
    key: Range<usize>,
    /// None if it is deleted.
    value: Option<Range<usize>>,
}

impl Place {
    pub(super) fn key<'a>(&self, block: &'a [u8]) -> &'a [u8] {
        &block[self.key.clone()]
    }

    pub(super) fn value<'a>(&self, block: &'a [u8]) -> Option<&'a [u8]> {
        self.value.as_ref().map(|value| &block[value.clone()])
    }

    /// How many bytes key and value have.
    pub(super) fn len(&self) -> usize {
        self.end() - self.key.start
    }

    /// Where the next change begins.
    pub(super) fn end(&self) -> usize {
        self.value.as_ref().map_or(self.key.end, |value| value.end)
    }
}

/// Adds a change to the end of a block.
pub(super) fn put(block: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("an entry is far smaller");
    block.put_u32_le(length(key));
    block.put_u32_le(value.map_or(DELETED, length));
    block.put_slice(key);
    block.put_slice(value.unwrap_or_default());
}

/// The change that begins at `at`; none if none does.
pub(super) fn change_at(block: &[u8], at: usize) -> Option<Place> {
    let mut lengths = block.get(at..at + 8)?;
    let (key, value) = (lengths.get_u32_le() as usize, lengths.get_u32_le());
    let key = at + 8..at + 8 + key;
    let value = (value != DELETED).then(|| key.end..key.end + value as usize);
    let place = Place { key, value };
    (place.end() <= block.len()).then_some(place)
}

/// What a block has of `key`: nothing, that it was deleted, or its value. The error is a block
/// that is none.
pub(super) fn find<'a>(block: &'a [u8], key: &[u8]) -> Result<Option<Option<&'a [u8]>>, ()> {
    let mut at = 0;
    while at < block.len() {
        let change = change_at(block, at).ok_or(())?;
        match change.key(block).cmp(key) {
            std::cmp::Ordering::Less => at = change.end(),
            std::cmp::Ordering::Equal => return Ok(Some(change.value(block))),
            std::cmp::Ordering::Greater => break,
        }
    }
    Ok(None)
}
