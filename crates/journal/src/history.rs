//! What counted, in memory: answers by offset, events by position and by stream.

mod chunks;
mod names;
mod pages;
mod streams;

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use catga_core::{
    EventMeta, Fault, FaultCode, MessageId, NewEvent, Offset, Position, RecordedEvent, StreamName,
    StreamSlice, Tag, Timestamp,
};
use catga_engine::{Effect, RecordedAnswer};

use self::chunks::Chunks;
use self::names::Names;
use self::streams::Streams;
use crate::RecordedOutcome;

/// Every effect that counted, and its events.
///
/// Payloads are never copied: on the node that proposed an effect they are its handler's own, on
/// others they share the bytes of their entry. An entry is nearly all payload of effects that
/// counted, and none of these is ever dropped alone, so a copy would only cost.
#[derive(Debug)]
pub(crate) struct History {
    incarnation: u64,
    /// By offset, from 1.
    effects: Chunks<Recorded>,
    /// By position.
    events: Chunks<Chained>,
    streams: Streams,
    names: Names,
    /// What most events have.
    no_tags: Arc<[Tag]>,
}

#[derive(Debug)]
struct Recorded {
    id: MessageId,
    at: Timestamp,
    correlation: Option<Arc<str>>,
    answer: RecordedAnswer,
    /// How many events there are up to the end of this effect.
    events_end: usize,
}

/// An event, and where its stream's previous one stands. What it shares with its effect stands
/// there: a journal has millions of them.
///
/// So a stream is a chain from its last event back, which costs a number per event; a list per
/// stream would cost an allocation for each, and most streams are short.
#[derive(Debug)]
struct Chained {
    stream: StreamName,
    version: u64,
    name: Arc<str>,
    schema: u32,
    /// Its number within its effect.
    index: u32,
    payload: Bytes,
    /// None is what most events have.
    tags: Option<Arc<[Tag]>>,
    /// The place of its effect.
    effect: usize,
    /// The place of the stream's previous event, and one.
    previous: Option<NonZeroUsize>,
}

impl Chained {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn previous(&self) -> Option<usize> {
        self.previous.map(|place| place.get() - 1)
    }
}

impl History {
    pub(crate) fn new(incarnation: u64) -> Self {
        Self {
            incarnation,
            effects: Chunks::default(),
            events: Chunks::default(),
            streams: Streams::default(),
            names: Names::default(),
            no_tags: Arc::from([]),
        }
    }

    /// How many effects it holds.
    pub(crate) fn offset(&self) -> Offset {
        Offset(self.effects.len() as u64)
    }

    /// Adds the effect that counted next.
    pub(crate) fn push(&mut self, effect: Effect) {
        let place = self.effects.len();
        let (id, at, correlation) = (effect.id, effect.at, effect.trail.correlation);
        for (event, index) in effect.events.into_iter().zip(0..) {
            let tags = (!event.tags.is_empty()).then(|| event.tags.into());
            let (stream, version, previous) = self.extend(event.stream);
            self.events.push(Chained {
                stream,
                version,
                name: self.names.intern(event.name),
                schema: event.schema,
                index,
                payload: event.payload,
                tags,
                effect: place,
                previous,
            });
        }
        self.effects.push(Recorded {
            id,
            at,
            correlation,
            answer: effect.answer,
            events_end: self.events.len(),
        });
    }

    /// Makes the next event the last of its stream: the stream's one shared name, the event's
    /// version, and where the event before it stands.
    fn extend(&mut self, stream: StreamName) -> (StreamName, u64, Option<NonZeroUsize>) {
        let events = &self.events;
        let name_of = |place| events.get(place).map(Chained::stream);
        let previous = self.streams.replace(&stream, events.len(), name_of);
        match previous.and_then(|previous| Some((previous, events.get(previous)?))) {
            None => (stream, 1, None),
            Some((place, last)) => {
                (last.stream.clone(), last.version + 1, NonZeroUsize::new(place + 1))
            }
        }
    }

    /// The event as it is read, with what stands in its effect.
    fn whole(&self, chained: &Chained, effect: &Recorded) -> RecordedEvent {
        let position = Position {
            incarnation: self.incarnation,
            partition: 0,
            offset: Offset(chained.effect as u64 + 1),
        };
        let mut meta = EventMeta::new(position, chained.stream.clone(), chained.version, effect.at);
        meta.index = chained.index;
        meta.message_id = effect.id;
        meta.correlation = effect.correlation.clone();
        RecordedEvent {
            name: Arc::clone(&chained.name),
            schema: chained.schema,
            payload: chained.payload.clone(),
            tags: Arc::clone(chained.tags.as_ref().unwrap_or(&self.no_tags)),
            meta,
        }
    }

    /// The answer of the effect at `offset`.
    pub(crate) fn outcome(&self, offset: Offset) -> Result<RecordedOutcome, Fault> {
        let recorded = self.place(offset).and_then(|place| self.effects.get(place));
        let Some(recorded) = recorded else {
            let message = format!(
                "no answer is recorded at offset {offset}: this node has applied {}",
                self.offset()
            );
            return Err(Fault::new(FaultCode::PositionNotReached, message));
        };
        let (refused, payload) = match &recorded.answer {
            RecordedAnswer::None => (false, Bytes::new()),
            RecordedAnswer::Reply(payload) => (false, payload.clone()),
            RecordedAnswer::Refusal(payload) => (true, payload.clone()),
        };
        Ok(RecordedOutcome { message_id: recorded.id, refused, payload })
    }

    /// The events of one stream, oldest first.
    pub(crate) fn stream(&self, stream: &StreamName) -> StreamSlice {
        let mut events = Vec::new();
        let name_of = |place| self.events.get(place).map(Chained::stream);
        let mut next = self.streams.last(stream, name_of);
        while let Some(chained) = next.and_then(|place| self.events.get(place)) {
            if events.is_empty() {
                events.reserve_exact(chained.version as usize);
            }
            let effect = self.effects.get(chained.effect);
            events.extend(effect.map(|effect| self.whole(chained, effect)));
            next = chained.previous();
        }
        events.reverse();
        StreamSlice { events }
    }

    /// The effects after `after`, as they were but for what only the engine needs.
    pub(crate) fn effects_after(&self, after: Offset) -> impl Iterator<Item = Effect> + '_ {
        let first = usize::try_from(after.0).unwrap_or(usize::MAX);
        let recorded = self.effects.iter_from(first);
        let mut events = self.events.iter_from(self.events_end(after));
        let mut start = self.events_end(after);
        recorded.map(move |recorded| {
            let count = recorded.events_end - start;
            start = recorded.events_end;
            Effect {
                id: recorded.id,
                at: recorded.at,
                answer: recorded.answer.clone(),
                events: events.by_ref().take(count).map(as_new).collect(),
                trail: catga_engine::Trail {
                    correlation: recorded.correlation.clone(),
                    ..Default::default()
                },
                ..Effect::default()
            }
        })
    }

    /// How many events there are up to the end of the effect at `offset`.
    fn events_end(&self, offset: Offset) -> usize {
        let recorded = self.place(offset).and_then(|place| self.effects.get(place));
        match recorded {
            Some(recorded) => recorded.events_end,
            None if offset == Offset::ZERO => 0,
            None => self.events.len(),
        }
    }

    /// Where the effect at `offset` stands; none before the first.
    fn place(&self, offset: Offset) -> Option<usize> {
        usize::try_from(offset.0.checked_sub(1)?).ok()
    }
}

fn as_new(chained: &Chained) -> NewEvent {
    NewEvent {
        stream: chained.stream.clone(),
        name: chained.name.to_string().into(),
        schema: chained.schema,
        tags: chained.tags.as_deref().unwrap_or_default().to_vec(),
        payload: chained.payload.clone(),
    }
}
