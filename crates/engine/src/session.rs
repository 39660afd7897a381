use std::collections::BTreeMap;
use std::sync::Arc;

use catga_core::Offset;

use crate::Limits;
use crate::chunked::{Chunked, Place};

/// The effect by which an id counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) offset: Offset,
    pub(crate) payload_hash: u64,
}

/// An id below the mark that its caller may still ask about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// The journal time at which the mark passed it.
    pub(crate) since_ms: u64,
    /// None if it has not counted; then it still may.
    pub(crate) recorded: Option<Recorded>,
}

/// What a session knows of one of its sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    New,
    Recorded(Recorded),
    Expired,
}

/// The ids of one start of one node.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) node: Arc<str>,
    /// Sequences below it are forgotten, but for those in `kept`.
    pub(crate) low_water: u64,
    /// What counted from the mark on, by ascending sequence. A node counts up and its commands are
    /// applied nearly in that order, so nearly every insertion is at the end; and unlike a ring
    /// indexed by sequence, it is no larger than what counted.
    pub(crate) ids: Chunked<(u64, Recorded)>,
    /// All below the mark. Those whose time is over are not found, and go when room is needed.
    pub(crate) kept: BTreeMap<u64, Kept>,
}

impl Session {
    pub(crate) fn new(node: Arc<str>) -> Self {
        Self { node, low_water: 0, ids: Chunked::default(), kept: BTreeMap::new() }
    }

    pub(crate) fn find(&self, sequence: u64, time_ms: u64, limits: &Limits) -> Found {
        let recorded = if sequence < self.low_water {
            match self.kept.get(&sequence) {
                Some(kept) if !is_over(kept, time_ms, limits) => kept.recorded,
                _ => return Found::Expired,
            }
        } else {
            let place = self.place(sequence).ok();
            place.and_then(|place| self.ids.at(place)).map(|(_, recorded)| *recorded)
        };
        recorded.map_or(Found::New, Found::Recorded)
    }

    /// Notes by which effect a sequence counted, which the caller has found to be new.
    pub(crate) fn record(&mut self, sequence: u64, recorded: Recorded) {
        if sequence < self.low_water {
            if let Some(kept) = self.kept.get_mut(&sequence) {
                kept.recorded = Some(recorded);
            }
        } else if let Err(place) = self.place(sequence) {
            match place {
                None => self.ids.push_back((sequence, recorded)),
                Some(place) => self.ids.insert(place, (sequence, recorded)),
            }
        }
    }

    /// Raises the mark to `low_water` and forgets what is below, but for `kept`.
    ///
    /// The mark stops at the first sequence to be kept for which there is no room: that one must
    /// neither be forgotten nor kept beyond the limit.
    pub(crate) fn raise(&mut self, low_water: u64, kept: &[u64], time_ms: u64, limits: &Limits) {
        if low_water <= self.low_water {
            return;
        }
        let mark = self.keep(low_water, kept, time_ms, limits);
        while let Some(&(sequence, recorded)) = self.ids.front() {
            if sequence >= mark {
                break;
            }
            self.ids.pop_front();
            if let Some(kept) = self.kept.get_mut(&sequence) {
                kept.recorded = Some(recorded);
            }
        }
        self.low_water = mark;
    }

    /// Makes place for the sequences that the mark is about to pass; says how far it may go.
    fn keep(&mut self, low_water: u64, kept: &[u64], time_ms: u64, limits: &Limits) -> u64 {
        let passed = self.low_water..low_water;
        let mut passed: Vec<u64> = kept.iter().copied().filter(|it| passed.contains(it)).collect();
        // Where nothing is kept for any time, there is nothing to limit.
        if passed.is_empty() || limits.kept_retention_ms == 0 {
            return low_water;
        }
        passed.sort_unstable();
        passed.dedup();
        self.kept.retain(|_, kept| !is_over(kept, time_ms, limits));
        for sequence in passed {
            if self.kept.len() >= limits.kept {
                return sequence;
            }
            let kept = Kept { since_ms: time_ms, recorded: None };
            self.kept.insert(sequence, kept);
        }
        low_water
    }

    /// The kept sequences whose time is not over, ascending.
    pub(crate) fn kept(&self, time_ms: u64, limits: &Limits) -> impl Iterator<Item = (u64, &Kept)> {
        let kept = self.kept.iter().map(|(sequence, kept)| (*sequence, kept));
        kept.filter(move |(_, kept)| !is_over(kept, time_ms, limits))
    }

    /// Where a sequence stands in `ids`, or would: at the end if nothing else is said.
    fn place(&self, sequence: u64) -> Result<Place, Option<Place>> {
        match self.ids.back() {
            Some((last, _)) if *last >= sequence => {
                self.ids.search(&sequence, |(sequence, _)| *sequence).map_err(Some)
            }
            _ => Err(None),
        }
    }
}

fn is_over(kept: &Kept, time_ms: u64, limits: &Limits) -> bool {
    time_ms.saturating_sub(kept.since_ms) >= limits.kept_retention_ms
}
