use std::fmt;

use catga_core::{DomainError, NewEvent, StreamEvent};

use super::Then;
use crate::difference::differences;
use crate::events::{Events, IntoEvents};
use crate::value::Value;

/// What the command recorded.
impl<R: fmt::Debug, E: DomainError> Then<R, E> {
    /// It recorded exactly these events, in this order: [`events!`](crate::events!), or an array or
    /// a vector of one type.
    ///
    /// Events are compared by name, stream, tags and payload.
    ///
    /// # Panics
    /// If it recorded others; it says where they differ.
    #[track_caller]
    pub fn then_events(mut self, expected: impl IntoEvents) -> Self {
        let expected = expected.into_events();
        expected.0.iter().for_each(|written| self.readers.learn(written));
        self.expect_events("then_events", &expected);
        self
    }

    /// It recorded no event.
    ///
    /// # Panics
    /// If it recorded one.
    #[track_caller]
    pub fn then_nothing(self) -> Self {
        self.expect_events("then_nothing", &Events::new());
        self
    }

    /// The one event of type `X` among those recorded, for checks of one's own.
    ///
    /// # Panics
    /// If there is none or more than one, or if it cannot be read.
    #[track_caller]
    pub fn event<X: StreamEvent>(&self) -> X {
        let mut found = self.staged.events.iter().filter(|event| event.name == X::NAME);
        let (Some(event), None) = (found.next(), found.next()) else {
            panic!(
                "event, after {}:\n  expected one `{}`\n{}",
                self.name,
                X::NAME,
                self.recorded()
            );
        };
        match <X::Format as catga_core::Format>::decode(&event.payload) {
            Ok(event) => event,
            Err(error) => panic!("the recorded `{}` cannot be read: {error}", X::NAME),
        }
    }

    #[track_caller]
    fn expect_events(&self, step: &str, expected: &Events) {
        let recorded = &self.staged.events;
        let mut wrong = Vec::new();
        if recorded.len() != expected.0.len() {
            let (expected, recorded) = (expected.0.len(), recorded.len());
            wrong.push(format!("expected {}, recorded {recorded}", count(expected)));
        }
        for (number, (written, recorded)) in (1..).zip(expected.0.iter().zip(recorded)) {
            wrong.extend(
                self.different(&written.event, recorded)
                    .into_iter()
                    .map(|line| format!("event {number}: {line}")),
            );
        }
        if wrong.is_empty() {
            return;
        }
        let expected = expected.0.iter().map(|written| &written.event);
        panic!(
            "{step}, after {}:\n  {}\n  expected\n{}{}",
            self.name,
            wrong.join("\n  "),
            self.listed(expected),
            self.recorded()
        );
    }

    /// One line for each difference of two events.
    fn different(&self, expected: &NewEvent, recorded: &NewEvent) -> Vec<String> {
        if expected == recorded {
            return Vec::new();
        }
        if expected.name != recorded.name {
            return vec![format!("expected `{}`, recorded `{}`", expected.name, recorded.name)];
        }
        let mut lines = Vec::new();
        if expected.stream != recorded.stream {
            let (expected, recorded) = (&expected.stream, &recorded.stream);
            lines.push(format!("expected in {expected}, recorded in {recorded}"));
        }
        if expected.tags != recorded.tags {
            let (expected, recorded) = (&expected.tags, &recorded.tags);
            lines.push(format!("expected the tags {expected:?}, recorded {recorded:?}"));
        }
        let unread = |event: &NewEvent| Value::Bytes(event.payload.to_vec());
        let read = |event| self.readers.value(event).unwrap_or_else(|| unread(event));
        lines.extend(differences(&read(expected), &read(recorded)));
        lines
    }

    /// What was recorded, and the answer, for people.
    fn recorded(&self) -> String {
        let recorded = self.listed(self.staged.events.iter());
        format!("  recorded\n{recorded}  and it {}", self.answered())
    }

    fn listed<'a>(&self, events: impl Iterator<Item = &'a NewEvent>) -> String {
        let lines: String = (1..)
            .zip(events)
            .map(|(number, event)| format!("    {number}. {}\n", self.readers.shown(event)))
            .collect();
        if lines.is_empty() { "    nothing\n".to_owned() } else { lines }
    }
}

fn count(events: usize) -> String {
    match events {
        0 => "no event".to_owned(),
        1 => "1 event".to_owned(),
        events => format!("{events} events"),
    }
}
