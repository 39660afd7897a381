use std::collections::VecDeque;

use catga_core::{StreamName, Timestamp};

use super::place::Place;

/// How many bytes the names of held streams may have together: they stand in one record.
const NAMES_BYTES_MAX: usize = 256 << 10;

/// The dead letters of one subscriber, and what waits behind them.
///
/// It only says what is held; who delivers decides when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// In the order in which they failed. One without a letter has events that wait: they are
    /// released, and come next.
    pub(super) entries: Vec<Entry>,
}

/// What is held of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) stream: StreamName,
    /// Later events of the stream wait behind it.
    pub(super) parks: bool,
    /// None once it was retried with success, or discarded.
    pub(super) letter: Option<Letter>,
    pub(super) parked: VecDeque<Place>,
}

/// An event that failed too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) place: Place,
    /// The written name of the event's type.
    pub(super) event: String,
    /// How often it was tried.
    pub(super) attempts: u32,
    /// What the subscriber said last.
    pub(super) error: String,
    /// The wall time at which the owner gave up on it.
    pub(super) at: Timestamp,
}

/// How much may be held.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldLimits {
    pub(super) letters: usize,
    pub(super) parked: usize,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many dead letters there are.
    pub(super) fn letters(&self) -> usize {
        self.entries.iter().filter(|entry| entry.letter.is_some()).count()
    }

    /// How many events wait.
    pub(super) fn parked(&self) -> usize {
        self.entries.iter().map(|entry| entry.parked.len()).sum()
    }

    /// Why nothing more can be held, so that no further event may be tried; none if one can.
    pub(super) fn full(&self, limits: HeldLimits) -> Option<String> {
        let names: usize = self.entries.iter().map(|entry| entry.stream.as_str().len()).sum();
        let (entries, parked) = (self.entries.len(), self.parked());
        if entries >= limits.letters || names >= NAMES_BYTES_MAX {
            Some(format!("it has {entries} dead letters; retry or discard some"))
        } else if parked >= limits.parked {
            Some(format!("{parked} events wait behind its dead letters; retry or discard some"))
        } else {
            None
        }
    }

    /// True if events of `stream` have to wait.
    pub(super) fn holds(&self, stream: &StreamName) -> bool {
        self.entries.iter().any(|entry| entry.parks && entry.stream == *stream)
    }

    /// Lets the event at `place` wait behind what is held of its stream.
    pub(super) fn park(&mut self, stream: &StreamName, place: Place) {
        if let Some(entry) = self.parking(stream) {
            entry.parked.push_back(place);
        }
    }

    /// Adds a dead letter; `parks` says whether later events of its stream wait. What waits of the
    /// stream already goes on waiting, behind it.
    pub(super) fn bury(&mut self, stream: &StreamName, parks: bool, letter: Letter) {
        match self.parking(stream) {
            Some(released) if released.letter.is_none() => released.letter = Some(letter),
            _ => self.entries.push(Entry {
                stream: stream.clone(),
                parks,
                letter: Some(letter),
                parked: VecDeque::new(),
            }),
        }
    }

    /// The dead letter of the event at `place`, if there is one.
    pub(super) fn letter(&self, place: Place) -> Option<&Letter> {
        let mut letters = self.entries.iter().filter_map(|entry| entry.letter.as_ref());
        letters.find(|letter| letter.place == place)
    }

    /// The same, to change what is said of it.
    pub(super) fn letter_mut(&mut self, place: Place) -> Option<&mut Letter> {
        let mut letters = self.entries.iter_mut().filter_map(|entry| entry.letter.as_mut());
        letters.find(|letter| letter.place == place)
    }

    /// Takes the dead letter at `place` away, which releases what waits behind it.
    pub(super) fn settle(&mut self, place: Place) {
        for entry in &mut self.entries {
            entry.letter.take_if(|letter| letter.place == place);
        }
        self.tidy();
    }

    /// The event that was released and comes next, with its stream.
    pub(super) fn released(&self) -> Option<(StreamName, Place)> {
        let entry = self.entries.iter().find(|entry| entry.letter.is_none())?;
        Some((entry.stream.clone(), *entry.parked.front()?))
    }

    /// Notes that the first released event of `stream` was dealt with.
    pub(super) fn pop(&mut self, stream: &StreamName) {
        if let Some(entry) = self.parking(stream).filter(|entry| entry.letter.is_none()) {
            entry.parked.pop_front();
        }
        self.tidy();
    }

    /// At most one entry of a stream parks.
    fn parking(&mut self, stream: &StreamName) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.parks && entry.stream == *stream)
    }

    fn tidy(&mut self) {
        self.entries.retain(|entry| entry.letter.is_some() || !entry.parked.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use catga_core::Offset;

    use super::*;

    const LIMITS: HeldLimits = HeldLimits { letters: 3, parked: 4 };

    fn place(offset: u64) -> Place {
        Place { offset: Offset(offset), index: 0 }
    }

    fn letter(offset: u64) -> Letter {
        let (event, error) = ("e".to_owned(), "no".to_owned());
        Letter { place: place(offset), event, attempts: 3, error, at: Timestamp::default() }
    }

    fn stream(name: &str) -> StreamName {
        StreamName::new("s", name)
    }

    #[test]
    fn what_waits_is_released_in_order_and_waits_again_behind_the_next_that_fails() {
        let (mut held, a) = (Held::default(), stream("a"));
        held.bury(&a, true, letter(1));
        assert!(held.holds(&a) && !held.holds(&stream("b")));
        for offset in [4, 6, 9] {
            held.park(&a, place(offset));
        }
        assert_eq!((held.letters(), held.parked(), held.released()), (1, 3, None));
        held.settle(place(1));
        assert_eq!(held.released(), Some((a.clone(), place(4))));
        assert!(held.holds(&a), "what comes now waits behind what was released");
        held.pop(&a);
        // The next of them fails.
        held.pop(&a);
        held.bury(&a, true, letter(6));
        assert_eq!((held.letters(), held.parked(), held.released()), (1, 1, None));
        held.settle(place(6));
        held.pop(&a);
        assert_eq!(held, Held::default());
    }

    #[test]
    fn where_events_pass_each_failure_is_a_letter_of_its_own() {
        let (mut held, a) = (Held::default(), stream("a"));
        held.bury(&a, false, letter(1));
        held.bury(&a, false, letter(2));
        assert!(!held.holds(&a));
        held.settle(place(1));
        assert_eq!(held.letter(place(1)), None);
        held.letter_mut(place(2)).expect("it is held").attempts = 6;
        assert_eq!(held.letter(place(2)).expect("it is held").attempts, 6);
        // The policy is another now.
        held.bury(&a, true, letter(3));
        held.park(&a, place(4));
        held.settle(place(2));
        assert_eq!((held.letters(), held.parked()), (1, 1));
    }

    #[test]
    fn there_is_a_bound() {
        let mut held = Held::default();
        held.bury(&stream("a"), true, letter(1));
        for offset in 2..6 {
            assert_eq!(held.full(LIMITS), None);
            held.park(&stream("a"), place(offset));
        }
        assert!(held.full(LIMITS).expect("full").contains("4 events wait"));
        held.settle(place(1));
        held.pop(&stream("a"));
        assert_eq!(held.full(LIMITS), None);
        held.bury(&stream("b"), false, letter(7));
        held.bury(&stream("c"), false, letter(8));
        assert!(held.full(LIMITS).expect("full").contains("3 dead letters"));
        let mut long = Held::default();
        long.bury(&stream(&"x".repeat(NAMES_BYTES_MAX)), false, letter(1));
        assert!(long.full(LIMITS).is_some(), "the record has a bound in bytes too");
    }
}
