//! A segment that is damaged here is whole on another node, with the same records.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use catga_core::Offset;
use catga_host::Open;

use super::{Archive, Damage};
use crate::segment::{SegmentError, frame_bytes};
use crate::{HistoryPart, HistorySegment};

impl Archive {
    /// Who is told of damaged segments, if somebody mends them.
    pub(crate) fn damage(&self) -> Option<&Arc<Damage>> {
        self.shared.options.damage.as_ref()
    }

    /// True if the tail cannot be appended to until it is mended.
    pub(crate) fn is_lost(&self) -> bool {
        self.tail.is_lost()
    }

    /// Reads all of the first segment that begins after the offset `after`, and notes it if it is
    /// damaged; with what it begins. None if there is none.
    pub(crate) fn scrub(&self, after: u64) -> Option<u64> {
        let next = self.sealed.partition_point(|sealed| sealed.first <= after);
        let Some(sealed) = self.sealed.get(next) else {
            let first = Some(self.tail.first).filter(|first| *first > after)?;
            // What it finds damaged it notes.
            self.records_after(Offset(first - 1)).for_each(drop);
            return Some(first);
        };
        let read = self.shared.open(sealed.first).and_then(|reader| sealed.read_through(&reader));
        if let Err(error) = read {
            self.shared.notes(sealed.first, &error);
        }
        Some(sealed.first)
    }

    /// The segment which begins with `first`, as it must be.
    pub(crate) fn segment(&self, first: u64) -> Option<HistorySegment> {
        let sealed = self.sealed.binary_search_by_key(&first, |sealed| sealed.first);
        if let Ok(place) = sealed {
            let sealed = self.sealed[place];
            return Some(HistorySegment {
                first,
                last: sealed.last,
                hash: sealed.hash,
                is_sealed: true,
            });
        }
        let tail = self.tail.end_of();
        (tail.first == first && tail.end > 0).then_some(HistorySegment {
            first,
            last: tail.last,
            hash: tail.hash,
            is_sealed: false,
        })
    }

    /// At most `bytes` bytes, from `offset` on, of a file that has the records of `wanted`; none if
    /// this archive does not have them.
    ///
    /// # Errors
    /// When what is here cannot be read.
    pub(crate) fn part_of(
        &self,
        wanted: &HistorySegment,
        offset: u64,
        bytes: usize,
    ) -> Result<Option<HistoryPart>, SegmentError> {
        let Some(length) = self.length_of(wanted)? else { return Ok(None) };
        let path = self.shared.path(wanted.first);
        let io = |error| SegmentError::io(&path, error);
        let file = self.shared.files.open(&path, Open::Read).map_err(io)?;
        let rest = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut part = BytesMut::zeroed(bytes.min(rest));
        file.read_at(&mut part, offset).map_err(io)?;
        Ok(Some(HistoryPart { length, bytes: part.freeze() }))
    }

    /// How many bytes of the own file have the records of `wanted`, if it has them.
    fn length_of(&self, wanted: &HistorySegment) -> Result<Option<u64>, SegmentError> {
        let HistorySegment { first, last, hash, is_sealed } = *wanted;
        let place = self.sealed.binary_search_by_key(&first, |sealed| sealed.first).ok();
        let sealed = place.map(|place| self.sealed[place]);
        if is_sealed {
            let same = sealed.filter(|own| (own.last, own.hash) == (last, hash));
            return Ok(same.map(|own| own.length));
        }
        // The tail of another node may have gone on here, and may have been sealed since.
        let at = match sealed {
            Some(sealed) if sealed.last >= last && last >= first => {
                let reader = self.shared.sealed(first)?;
                Some(sealed.place(&self.shared, &reader, last)?.0)
            }
            None if self.tail.first == first => self.tail.place(last).map(|(at, _)| at),
            _ => None,
        };
        let Some(at) = at else { return Ok(None) };
        let record: Bytes = self.read(Offset(last))?;
        Ok(Some(at + frame_bytes(record.len())))
    }

    /// This archive over what is on disk now, where the segment which begins with `first` was put
    /// in place of a damaged one.
    ///
    /// # Errors
    /// When it is not good either.
    pub(crate) fn mended(&self, first: u64) -> Result<Self, SegmentError> {
        if let Some(damage) = self.damage() {
            damage.is_mended(first);
        }
        let shared = &self.shared;
        let (files, dir) = (Arc::clone(&shared.files), shared.dir.clone());
        Self::open(files, dir, shared.options.clone(), &self.manifest())
    }
}
