use std::collections::BTreeMap;
use std::sync::Arc;

use catga_core::{Context, Message, MessageId, NewEvent, Offset, StreamEvent, Timestamp, Tx};

use crate::past::Past;
use crate::value::{Read, Value};

/// An event as a transaction writes it, and how its payload is read.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) event: NewEvent,
    pub(crate) read: Read,
}

impl Written {
    /// The event through a real transaction: its own format, stream and tags.
    #[track_caller]
    pub(crate) fn of<E: StreamEvent>(event: E) -> Self {
        let (id, now) = (MessageId::default(), Timestamp::default());
        let mut tx = Tx::new(id, 0, now, Offset::ZERO, Context::default(), Arc::<Past>::default());
        tx.append_any(event);
        let staged = tx.finish().map(|staged| staged.events);
        match staged.as_deref() {
            Ok([event]) => Self { event: event.clone(), read: Value::read::<E::Format> },
            Ok(_) => unreachable!("one event was appended"),
            Err(fault) => panic!("the event `{}` cannot be recorded: {fault}", E::NAME),
        }
    }
}

/// How payloads are read, by the names of their events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readers {
    by_name: BTreeMap<String, Read>,
    /// The format of the message under test, which its events mostly share.
    pub(crate) fallback: Option<Read>,
}

impl Readers {
    pub(crate) fn learn(&mut self, written: &Written) {
        self.by_name.insert(written.event.name.to_string(), written.read);
    }

    /// The payload, if it can be read.
    pub(crate) fn value(&self, event: &NewEvent) -> Option<Value> {
        let read = self.by_name.get(&*event.name).or(self.fallback.as_ref())?;
        read(&event.payload).ok()
    }

    /// The event for people: its name, its stream and its payload.
    pub(crate) fn shown(&self, event: &NewEvent) -> String {
        let payload = match self.value(event) {
            Some(value) => value.to_string(),
            None => format!("({} bytes)", event.payload.len()),
        };
        format!("`{}` in {} {payload}", event.name, event.stream)
    }
}

/// How the message `M` and its answers are read.
pub(crate) fn reader<M: Message>() -> Read {
    Value::read::<M::Format>
}
