//! What has happened: events, the time, and who calls.

mod reading;
mod running;

use std::sync::Arc;
use std::time::Duration;

use catga_core::{Context, MessageId, NewEvent, SessionId, StreamEvent, Timestamp, derive_uuid};
use uuid::Uuid;

use crate::clock::START;
use crate::events::IntoEvents;
use crate::past::{INCARNATION, Past};
use crate::written::{Readers, Written};

pub use self::running::Enter;

/// Nothing has happened yet: where a test begins.
pub fn given() -> Given {
    Given {
        past: Past::default(),
        now: START,
        context: Context::default(),
        readers: Readers::default(),
    }
}

/// What has happened before the command under test: events, the time, and who calls.
///
/// Events are recorded as a journal records them: encoded in their own format, each with the next
/// position and the next version of its stream, at the [time](Self::at) that it then is. It is
/// never used up, so several commands can be tried from one past.
#[derive(Clone, Debug)]
pub struct Given {
    past: Past,
    now: Timestamp,
    context: Context,
    readers: Readers,
}

impl Given {
    /// `event` happened next.
    ///
    /// # Panics
    /// If the event cannot be encoded.
    #[must_use]
    #[track_caller]
    pub fn event<E: StreamEvent>(mut self, event: E) -> Self {
        self.record(Written::of(event));
        self
    }

    /// These happened next: [`events!`](crate::events!), or an array or a vector of one type.
    ///
    /// # Panics
    /// If an event cannot be encoded.
    #[must_use]
    #[track_caller]
    pub fn events(mut self, events: impl IntoEvents) -> Self {
        for written in events.into_events().0 {
            self.record(written);
        }
        self
    }

    /// It is `time` now: the time of the events given from here on, and what the handler's
    /// `tx.now()` says. It is 2026-01-01T00:00:00Z until something else is said.
    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Self {
        self.now = time;
        self
    }

    /// Some time passes.
    #[must_use]
    pub fn later(mut self, by: Duration) -> Self {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.now = Timestamp::from_millis(self.now.as_millis().saturating_add(by_ms));
        self
    }

    /// Who calls.
    #[must_use]
    pub fn principal(mut self, principal: impl Into<Arc<str>>) -> Self {
        self.context.principal = Some(principal.into());
        self
    }

    /// On whose behalf.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.context.tenant = Some(tenant.into());
        self
    }

    /// What the call belongs to.
    #[must_use]
    pub fn correlation(mut self, correlation: impl Into<Arc<str>>) -> Self {
        self.context.correlation = Some(correlation.into());
        self
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The id that the handler's `counter`-th call of `tx.new_id()` will give, from 0.
    ///
    /// ```
    /// # use catga::prelude::*;
    /// use catga_testkit::given;
    ///
    /// let past = given();
    /// let second: Uuid = past.new_id(1);
    /// past.when_calling(async |tx| {
    ///     let _: Uuid = tx.new_id();
    ///     Answer::<Uuid>::Ok(tx.new_id())
    /// })
    /// .then_reply(second);
    /// ```
    pub fn new_id<T: From<Uuid>>(&self, counter: u64) -> T {
        derive_uuid(INCARNATION, self.message_id(), counter, self.now).into()
    }

    /// The id of the command under test: the one after those of the events.
    fn message_id(&self) -> MessageId {
        MessageId::new(SessionId(1), self.past.offset().next().0)
    }

    /// Goes on after a command that recorded `events`.
    pub(crate) fn take_over(&mut self, events: Vec<NewEvent>, readers: Readers) {
        self.readers = readers;
        for event in events {
            self.past.record(event, self.now);
        }
    }

    pub(crate) fn into_past(self) -> Past {
        self.past
    }

    fn record(&mut self, written: Written) {
        self.readers.learn(&written);
        self.past.record(written.event, self.now);
    }
}
