//! What counted since some offset, in memory: answers by offset, events by position and by stream.

mod chunks;
mod names;
pub(crate) mod pages;
mod streams;

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use catga_core::{
    AttemptId, EventMeta, MessageId, NewEvent, Offset, Position, RecordedEvent, StreamName, Tag,
    Timestamp,
};
use catga_engine::{Effect, RecordWrite, RecordedAnswer};

use self::chunks::Chunks;
use self::names::Names;
use self::streams::Streams;
use crate::RecordedOutcome;
use crate::record::{Place, Record};

/// Every effect that counted after its base, and its events.
///
/// Payloads are never copied: on the node that proposed an effect they are its handler's own, on
/// others they share the bytes of their entry. An entry is nearly all payload of effects that
/// counted, and none of these is ever dropped alone, so a copy would only cost.
#[derive(Debug)]
pub(crate) struct History {
    incarnation: u64,
    /// The last effect that is not in it; zero if it has all.
    base: Offset,
    /// By offset, from the one after the base.
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
    attempt: AttemptId,
    records: Box<[RecordWrite]>,
}

/// An event, and where its stream's previous one stands, if that is here too. What it shares with its effect stands
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
    pub(crate) fn new(incarnation: u64, base: Offset) -> Self {
        Self {
            incarnation,
            base,
            effects: Chunks::default(),
            events: Chunks::default(),
            streams: Streams::default(),
            names: Names::default(),
            no_tags: Arc::from([]),
        }
    }

    /// The last effect that it holds.
    pub(crate) fn offset(&self) -> Offset {
        Offset(self.base.0 + self.effects.len() as u64)
    }

    /// The last effect that it does not hold, because it is older.
    pub(crate) fn base(&self) -> Offset {
        self.base
    }

    /// Adds the effect that counted next; `versions` are those of its events.
    pub(crate) fn push(&mut self, effect: Effect, versions: &[u64]) {
        let place = self.effects.len();
        let Effect { id, at, trail, attempt, records, .. } = effect;
        for ((event, version), index) in effect.events.into_iter().zip(versions).zip(0..) {
            let tags = (!event.tags.is_empty()).then(|| event.tags.into());
            let (stream, previous) = self.extend(event.stream);
            self.events.push(Chained {
                stream,
                version: *version,
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
            correlation: trail.correlation,
            answer: effect.answer,
            events_end: self.events.len(),
            attempt,
            records: records.into(),
        });
    }

    /// Makes the next event the last of its stream: the stream's one shared name, and where the
    /// event before it stands.
    fn extend(&mut self, stream: StreamName) -> (StreamName, Option<NonZeroUsize>) {
        let events = &self.events;
        let name_of = |place| events.get(place).map(Chained::stream);
        let previous = self.streams.replace(&stream, events.len(), name_of);
        match previous.and_then(|previous| Some((previous, events.get(previous)?))) {
            None => (stream, None),
            Some((place, last)) => (last.stream.clone(), NonZeroUsize::new(place + 1)),
        }
    }

    /// The event as it is read, with what stands in its effect.
    fn whole(&self, chained: &Chained, effect: &Recorded) -> RecordedEvent {
        let position = Position {
            incarnation: self.incarnation,
            partition: 0,
            offset: self.offset_at(chained.effect),
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

    /// The answer of the effect at `offset`; none if it is not here.
    pub(crate) fn outcome(&self, offset: Offset) -> Option<RecordedOutcome> {
        let recorded = self.effects.get(self.place(offset)?)?;
        let (refused, payload) = match &recorded.answer {
            RecordedAnswer::None => (false, Bytes::new()),
            RecordedAnswer::Reply(payload) => (false, payload.clone()),
            RecordedAnswer::Refusal(payload) => (true, payload.clone()),
        };
        Some(RecordedOutcome { message_id: recorded.id, refused, payload })
    }

    /// Adds the events of one stream that are here to `events`, newest first.
    pub(crate) fn stream_back(&self, stream: &StreamName, events: &mut Vec<RecordedEvent>) {
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
    }

    /// The last effect with an event of the stream, if one is here.
    pub(crate) fn last_of(&self, stream: &StreamName) -> Option<Offset> {
        let name_of = |place| self.events.get(place).map(Chained::stream);
        let place = self.streams.last(stream, name_of)?;
        Some(self.offset_at(self.events.get(place)?.effect))
    }

    /// Every effect as the archive keeps it, in order. `below` says where the events of a stream
    /// that are not here end.
    pub(crate) fn records<'a, E>(
        &'a self,
        mut below: impl FnMut(&StreamName) -> Result<Offset, E> + 'a,
    ) -> impl Iterator<Item = Result<Record, E>> + 'a {
        let mut events = self.events.iter_from(0);
        let mut start = 0;
        self.effects.iter_from(0).map(move |recorded| {
            let count = recorded.events_end - start;
            start = recorded.events_end;
            let own: Vec<_> = events.by_ref().take(count).collect();
            let place = |chained: &&Chained| {
                let previous = match chained.previous().and_then(|place| self.events.get(place)) {
                    Some(previous) => self.offset_at(previous.effect),
                    None if chained.version > 1 => below(&chained.stream)?,
                    None => Offset::ZERO,
                };
                Ok(Place { version: chained.version, previous })
            };
            let places = own.iter().map(place).collect::<Result<_, E>>()?;
            Ok(Record { effect: recorded.effect(own.into_iter()), places })
        })
    }

    /// Every effect, as it was but for what only decides whether it counts, with the versions of
    /// its events.
    pub(crate) fn effects(&self) -> impl Iterator<Item = Effect> + '_ {
        let mut events = self.events.iter_from(0);
        let mut start = 0;
        self.effects.iter_from(0).map(move |recorded| {
            let count = recorded.events_end - start;
            start = recorded.events_end;
            recorded.effect(events.by_ref().take(count))
        })
    }

    /// How many events there are up to the end of the effect at `offset`.
    fn events_end(&self, offset: Offset) -> usize {
        let recorded = self.place(offset).and_then(|place| self.effects.get(place));
        match recorded {
            Some(recorded) => recorded.events_end,
            None if offset <= self.base => 0,
            None => self.events.len(),
        }
    }

    /// Where the effect at `offset` stands; none before the first.
    fn place(&self, offset: Offset) -> Option<usize> {
        usize::try_from(offset.0.checked_sub(self.base.0 + 1)?).ok()
    }

    fn offset_at(&self, place: usize) -> Offset {
        Offset(self.base.0 + place as u64 + 1)
    }
}

impl Recorded {
    fn effect<'a>(&self, events: impl Iterator<Item = &'a Chained>) -> Effect {
        let correlation = self.correlation.clone();
        Effect {
            id: self.id,
            at: self.at,
            attempt: self.attempt,
            answer: self.answer.clone(),
            events: events.map(as_new).collect(),
            records: self.records.to_vec(),
            trail: catga_engine::Trail { correlation, ..Default::default() },
            ..Effect::default()
        }
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
