use catga_core::StreamEvent;

use crate::written::Written;

/// Events of any types, in order. [`events!`](crate::events!) makes it.
///
/// Each is encoded as a handler's would be: in its own format, to its own stream, with its tags.
/// Events are compared by these, so they need neither `PartialEq` nor `Debug`.
#[derive(Clone, Debug, Default)]
pub struct Events(pub(crate) Vec<Written>);

impl Events {
    /// No events.
    pub fn new() -> Self {
        Self::default()
    }

    /// These events and `event`.
    ///
    /// # Panics
    /// If the event cannot be encoded.
    #[must_use]
    #[track_caller]
    pub fn and<E: StreamEvent>(mut self, event: E) -> Self {
        self.0.push(Written::of(event));
        self
    }
}

/// What can stand for a list of events: [`events!`](crate::events!), or an array or a vector of
/// events of one type.
pub trait IntoEvents {
    /// The events in order.
    fn into_events(self) -> Events;
}

impl IntoEvents for Events {
    fn into_events(self) -> Events {
        self
    }
}

impl<E: StreamEvent, const N: usize> IntoEvents for [E; N] {
    #[track_caller]
    fn into_events(self) -> Events {
        self.into_iter().fold(Events::new(), Events::and)
    }
}

impl<E: StreamEvent> IntoEvents for Vec<E> {
    #[track_caller]
    fn into_events(self) -> Events {
        self.into_iter().fold(Events::new(), Events::and)
    }
}

/// A list of events of any types, as [`Events`].
///
/// ```
/// # use catga::prelude::*;
/// # #[derive(Clone)]
/// # struct Account(i64);
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "account.opened", stream = Account, key = account)]
/// # struct Opened { account: u32 }
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "account.paid-in", stream = Account, key = account)]
/// # struct PaidIn { account: u32, amount: i64 }
/// # #[aggregate(name = "account")]
/// # impl Account {
/// #     fn opened(_event: &Opened) -> Self { Self(0) }
/// #     fn paid_in(&mut self, event: &PaidIn) { self.0 += event.amount; }
/// # }
/// use catga_testkit::{events, given};
///
/// let history = events![Opened { account: 7 }, PaidIn { account: 7, amount: 5 }];
/// let account = given().events(history).state::<Account>(&7u32);
/// assert_eq!(account.expect("opened").0, 5);
/// ```
#[macro_export]
macro_rules! events {
    ($($event:expr),* $(,)?) => {
        $crate::Events::new()$(.and($event))*
    };
}
