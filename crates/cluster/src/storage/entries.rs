use std::collections::{BTreeMap, VecDeque};
use std::io;

use catga_journal::segment::SegmentReader;
use openraft::EntryPayload;
use openraft::alias::EntryOf;

use super::records::decode_entry;
use crate::{LogId, TypeConfig, Vote};

/// The entries of a log as they are read: the newest in memory, all others by their place.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) vote: Option<Vote>,
    pub(super) purged: Option<LogId>,
    /// The index of the first slot.
    first: u64,
    slots: VecDeque<Slot>,
    /// Below this index no entry is in memory.
    cached_from: u64,
    cached_bytes: usize,
    cached_max: usize,
    /// By number.
    segments: BTreeMap<u64, SegmentReader>,
}

#[derive(Debug)]
struct Slot {
    id: LogId,
    entry: Option<EntryOf<TypeConfig>>,
    /// Where it stands; none before it is written.
    place: Option<Place>,
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) at: u64,
}

impl Entries {
    pub(super) fn new(cached_max: usize) -> Self {
        Self {
            vote: None,
            purged: None,
            first: 0,
            slots: VecDeque::new(),
            cached_from: 0,
            cached_bytes: 0,
            cached_max,
            segments: BTreeMap::new(),
        }
    }

    /// The index of the first entry that is there, or that comes first.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The index after the last entry.
    pub(super) fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// The last entry that is or was there.
    pub(super) fn last(&self) -> Option<LogId> {
        self.slots.back().map(|slot| slot.id).or(self.purged)
    }

    pub(super) fn add_segment(&mut self, number: u64, reader: SegmentReader) {
        self.segments.insert(number, reader);
    }

    pub(super) fn remove_segment(&mut self, number: u64) {
        self.segments.remove(&number);
    }

    /// The oldest entry that is left has this index; what is below was purged, which is read later.
    pub(super) fn begin_at(&mut self, index: u64) {
        if self.slots.is_empty() && index > self.first {
            (self.first, self.cached_from) = (index, index);
        }
    }

    /// What is read of a log whose oldest segments are gone was truncated to before its beginning:
    /// the next entry has this index.
    pub(super) fn begin_below(&mut self, index: u64) {
        if self.slots.is_empty() && index < self.first {
            (self.first, self.cached_from) = (index, index);
        }
    }

    /// Adds the next entries.
    pub(super) fn append(&mut self, new: &[EntryOf<TypeConfig>]) -> io::Result<()> {
        for entry in new {
            let (index, end) = (entry.log_id.index, self.end());
            if self.slots.is_empty() && self.purged.is_none() && self.first == 0 {
                // A log that begins where a snapshot ended.
                (self.first, self.cached_from) = (index, index);
            } else if index != end {
                return Err(io::Error::other(format!("entry {index} was appended after {end}")));
            }
            self.cached_bytes += weight(entry);
            let (id, entry) = (entry.log_id, Some(entry.clone()));
            self.slots.push_back(Slot { id, entry, place: None });
        }
        Ok(())
    }

    /// Notes where an entry was written, unless it was truncated meanwhile.
    pub(super) fn written(&mut self, id: LogId, place: Place) {
        if let Some(slot) = self.slot_mut(id.index)
            && slot.id == id
        {
            slot.place = Some(place);
        }
    }

    /// Forgets the oldest entries that can be read from disk, until the rest fits.
    pub(super) fn evict(&mut self) {
        while self.cached_bytes > self.cached_max {
            let index = self.cached_from;
            let Some(slot) = self.slot_mut(index).filter(|slot| slot.place.is_some()) else {
                return;
            };
            let evicted = slot.entry.take();
            self.cached_bytes -= evicted.as_ref().map_or(0, weight);
            self.cached_from += 1;
        }
    }

    pub(super) fn truncate_after(&mut self, kept: Option<u64>) {
        let end = kept.map_or(0, |kept| kept + 1).max(self.first);
        while self.end() > end {
            let dropped = self.slots.pop_back().and_then(|slot| slot.entry);
            self.cached_bytes -= dropped.as_ref().map_or(0, weight);
        }
        self.cached_from = self.cached_from.min(self.end());
    }

    pub(super) fn purge(&mut self, upto: LogId) {
        while self.first <= upto.index && !self.slots.is_empty() {
            let dropped = self.slots.pop_front().and_then(|slot| slot.entry);
            self.cached_bytes -= dropped.as_ref().map_or(0, weight);
            self.first += 1;
        }
        self.first = self.first.max(upto.index + 1);
        self.cached_from = self.cached_from.max(self.first);
        self.purged = self.purged.max(Some(upto));
    }

    /// The entries from `start` on to before `end`: all, or as many as fit in `bytes`, but one.
    ///
    /// openraft takes what it gets for all there is, so nothing may be left out.
    pub(super) fn read(
        &mut self,
        start: u64,
        end: u64,
        bytes: usize,
    ) -> io::Result<Vec<EntryOf<TypeConfig>>> {
        if start < self.first || end > self.end() {
            let (first, last) = (self.first, self.end());
            let what =
                format!("entries {start} to {end} were asked for, there are {first} to {last}");
            return Err(io::Error::other(what));
        }
        let mut entries = Vec::new();
        let mut sum = 0;
        for index in start..end {
            let entry = self.get(index)?;
            sum += weight(&entry);
            if sum > bytes && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn get(&self, index: u64) -> io::Result<EntryOf<TypeConfig>> {
        let slot = index.checked_sub(self.first).and_then(|at| self.slots.get(at as usize));
        let missing = || io::Error::other(format!("entry {index} is not there"));
        let slot = slot.ok_or_else(missing)?;
        if let Some(entry) = &slot.entry {
            return Ok(entry.clone());
        }
        let place = slot.place.ok_or_else(missing)?;
        let reader = self.segments.get(&place.segment).ok_or_else(missing)?;
        let frame = reader.read(place.at)?;
        match decode_entry(&frame) {
            Some(entry) if entry.log_id == slot.id => Ok(entry),
            _ => Err(io::Error::other(format!(
                "{} holds another entry than {index} at byte {}",
                reader.path().display(),
                place.at
            ))),
        }
    }

    fn slot_mut(&mut self, index: u64) -> Option<&mut Slot> {
        let at = index.checked_sub(self.first)?;
        self.slots.get_mut(usize::try_from(at).ok()?)
    }
}

fn weight(entry: &EntryOf<TypeConfig>) -> usize {
    const FRAME: usize = 64;
    FRAME
        + match &entry.payload {
            EntryPayload::Normal(bytes) => bytes.0.len(),
            EntryPayload::Blank | EntryPayload::Membership(_) => 0,
        }
}
