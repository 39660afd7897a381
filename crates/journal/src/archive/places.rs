//! Where records stand in their segment.
//!
//! A frame of places has the places of [`PLACES_MAX`] records, fewer in the last one, and one more:
//! where the last of them ends, at the latest. All numbers are 32-bit little-endian, in units of
//! the alignment of frames. The frames follow each other without a gap, so that the one with the
//! place of any record is found by counting.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};

use crate::segment::frame_bytes;

/// How many records' places are in one frame: few enough that it is a small read.
pub(super) const PLACES_MAX: u64 = 512;

/// Places are kept in units of this; frames begin at multiples of it.
const UNIT: u64 = 8;

/// How many places stand together in memory: what is copied when a list is added to whose end
/// another list shares.
const CHUNK: usize = 4096;

/// The places of the records of a segment that still grows. A list that is cheap to clone and
/// shares what its clones have.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    chunks: Vec<Arc<Vec<u32>>>,
    len: u64,
}

impl Places {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn push(&mut self, at: u64) {
        if self.len.is_multiple_of(CHUNK as u64) {
            self.chunks.push(Arc::new(Vec::new()));
        }
        let last = self.chunks.last_mut();
        let last = last.expect("a chunk was added when the one before was full");
        Arc::make_mut(last).push(unit(at));
        self.len += 1;
    }

    pub(super) fn get(&self, index: u64) -> Option<u64> {
        let index = usize::try_from(index).ok()?;
        let place = self.chunks.get(index / CHUNK)?.get(index % CHUNK)?;
        Some(u64::from(*place) * UNIT)
    }

    /// The payloads of all frames of places, in order; the last record ends at `end`.
    pub(super) fn frames(&self, end: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
        let starts = (0..self.len).step_by(PLACES_MAX as usize);
        starts.map(move |start| {
            let mut payload = Vec::new();
            for index in start..=(start + PLACES_MAX).min(self.len) {
                payload.put_u32_le(unit(self.get(index).unwrap_or(end)));
            }
            payload
        })
    }
}

fn unit(at: u64) -> u32 {
    u32::try_from(at / UNIT).expect("a segment is below 32 GiB")
}

/// How many bytes of the file a frame with the places of `count` records takes.
pub(super) fn places_frame_bytes(count: u64) -> u64 {
    frame_bytes((count as usize + 1) * 4)
}

/// How many bytes all frames with the places of `count` records take.
pub(super) fn all_places_bytes(count: u64) -> u64 {
    let rest = count % PLACES_MAX;
    let rest = if rest == 0 { 0 } else { places_frame_bytes(rest) };
    count / PLACES_MAX * places_frame_bytes(PLACES_MAX) + rest
}

/// Of the record that is the `index`th of the payload of a frame: where it begins, and where it
/// ends at the latest. None if the payload is none of places.
pub(super) fn place_in(payload: &Bytes, index: u64) -> Option<(u64, u64)> {
    let at = usize::try_from(index).ok()?.checked_mul(4)?;
    let mut both = payload.get(at..at + 8)?;
    let (start, end) = (both.get_u32_le(), both.get_u32_le());
    (start < end).then_some((u64::from(start) * UNIT, u64::from(end) * UNIT))
}
