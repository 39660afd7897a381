use std::fmt;

use catga_core::{Condition, DomainError, RecordedEvent};

use super::Then;
use crate::events::IntoEvents;
use crate::past::Past;

/// When the command's effect counts.
impl<R: fmt::Debug, E: DomainError> Then<R, E> {
    /// It left exactly these conditions, in any order.
    ///
    /// What they are good for is easier said with
    /// [`then_conflicts_with`](Self::then_conflicts_with).
    ///
    /// # Panics
    /// If it left others.
    #[track_caller]
    pub fn then_conditions(self, expected: impl IntoIterator<Item = Condition>) -> Self {
        let mut unmet: Vec<_> = self.staged.conditions.clone();
        let mut missing = Vec::new();
        for condition in expected {
            match unmet.iter().position(|left| *left == condition) {
                Some(place) => drop(unmet.remove(place)),
                None => missing.push(condition),
            }
        }
        assert!(
            missing.is_empty() && unmet.is_empty(),
            "then_conditions, after {}:\n  missing {missing:?}\n  not expected {unmet:?}",
            self.name
        );
        self
    }

    /// Another command that records these events first keeps this one's effect from counting: the
    /// handler runs again and sees them.
    ///
    /// ```
    /// # use catga::prelude::*;
    /// # #[derive(Event, Clone, Serialize, Deserialize)]
    /// # #[event(name = "seat.taken", stream = Seat, key = seat)]
    /// # struct SeatTaken { seat: u32, by: String }
    /// # #[derive(Clone)]
    /// # struct Seat;
    /// # #[aggregate(name = "seat")]
    /// # impl Seat { fn taken(_event: &SeatTaken) -> Self { Self } }
    /// # #[derive(Command, Serialize, Deserialize)]
    /// # #[command(name = "seat.take", reply = ())]
    /// # struct TakeSeat { seat: u32 }
    /// # struct Seats;
    /// # #[service]
    /// # impl Seats {
    /// #     async fn take(&self, cmd: TakeSeat, tx: &mut Tx) -> Answer<()> {
    /// #         tx.emit(SeatTaken { seat: cmd.seat, by: "ann".into() });
    /// #         Ok(())
    /// #     }
    /// # }
    /// use catga_testkit::given;
    ///
    /// given()
    ///     .when(&Seats, TakeSeat { seat: 7 })
    ///     .then_conflicts_with([SeatTaken { seat: 7, by: "bob".into() }])
    ///     .then_counts_despite([SeatTaken { seat: 8, by: "bob".into() }]);
    /// ```
    ///
    /// # Panics
    /// If the effect would count all the same.
    #[track_caller]
    pub fn then_conflicts_with(self, others: impl IntoEvents) -> Self {
        let after = self.after(others);
        assert!(
            self.conflict(&after).is_some(),
            "then_conflicts_with, after {}:\n  expected a conflict, but its effect counts \
             whatever of this comes first; its conditions are {:?}",
            self.name,
            self.staged.conditions
        );
        self
    }

    /// The effect counts although another command records these events first.
    ///
    /// # Panics
    /// If it would conflict.
    #[track_caller]
    pub fn then_counts_despite(self, others: impl IntoEvents) -> Self {
        let after = self.after(others);
        if let Some((condition, event)) = self.conflict(&after) {
            panic!(
                "then_counts_despite, after {}:\n  expected that its effect counts, but it \
                 conflicts with `{}` in {}: its condition is {condition:?}",
                self.name, event.name, event.meta.stream
            );
        }
        self
    }

    /// The past with the events of others.
    #[track_caller]
    fn after(&self, others: impl IntoEvents) -> Past {
        self.given.clone().events(others).into_past()
    }

    fn conflict<'a>(&'a self, past: &'a Past) -> Option<(&'a Condition, &'a RecordedEvent)> {
        let conditions = self.staged.conditions.iter();
        conditions
            .filter_map(|condition| past.conflict(condition).map(|event| (condition, event)))
            .next()
    }
}
