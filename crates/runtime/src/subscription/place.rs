use catga_core::{Offset, RecordedEvent};

/// Where one event stands: the offset of its effect, and its number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) offset: Offset,
    pub(super) index: u32,
}

/// Up to where a subscriber's events were dealt with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Every event of the effects up to here.
    pub(super) upto: Offset,
    /// And of the effect after it, those numbered below this.
    pub(super) done: u32,
}

impl Place {
    pub(super) fn of(event: &RecordedEvent) -> Self {
        Self { offset: event.meta.position.offset, index: event.meta.index }
    }
}

impl Cursor {
    /// Everything up to `upto`.
    pub(super) const fn at(upto: Offset) -> Self {
        Self { upto, done: 0 }
    }

    /// Everything up to the event at `place`, that included.
    pub(super) fn after(place: Place) -> Self {
        // Offsets begin at 1; zero is before the first effect.
        Self { upto: Offset(place.offset.0.saturating_sub(1)), done: place.index + 1 }
    }

    /// True if the event at `place` was dealt with.
    pub(super) fn is_past(&self, place: Place) -> bool {
        place.offset <= self.upto || (place.offset == self.upto.next() && place.index < self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_stands_between_two_events_of_one_effect() {
        let place = |offset, index| Place { offset: Offset(offset), index };
        let cursor = Cursor::after(place(7, 1));
        for past in [place(1, 5), place(6, 9), place(7, 0), place(7, 1)] {
            assert!(cursor.is_past(past), "{past:?}");
        }
        for ahead in [place(7, 2), place(8, 0)] {
            assert!(!cursor.is_past(ahead), "{ahead:?}");
        }
        assert!(!Cursor::default().is_past(place(1, 0)));
        assert!(Cursor::at(Offset(7)).is_past(place(7, 2)));
    }
}
