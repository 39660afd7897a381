//! One effect as the archive keeps it.
//!
//! Layout, numbers little-endian: for each event its version and where its stream's event before
//! it stands, by offset; then the effect as an entry of its own. The heads that the effect left,
//! its attempt and its records, are in it as long as nothing after it has changed them, so that
//! the index can be made anew from the archive alone.

use bytes::{Buf, BufMut, Bytes};
use catga_core::{EventMeta, Offset, Position, RecordedEvent, StreamName};
use catga_engine::{Effect, Entry, RecordedAnswer};

use crate::RecordedOutcome;

/// An effect with the places of its events in their streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) effect: Effect,
    /// For each event.
    pub(crate) places: Vec<Place>,
}

/// Where an event stands in its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its version.
    pub(crate) version: u64,
    /// The effect with the event before it; zero for the first.
    pub(crate) previous: Offset,
}

impl Record {
    pub(crate) fn encode(self) -> Bytes {
        let mut bytes = Vec::with_capacity(4 + 16 * self.places.len());
        bytes.put_u32_le(u32::try_from(self.places.len()).expect("an entry has fewer events"));
        for place in &self.places {
            bytes.put_u64_le(place.version);
            bytes.put_u64_le(place.previous.0);
        }
        Entry { effects: vec![self.effect], ..Entry::default() }.encode_after(bytes)
    }

    /// None if the bytes are not what [`encode`](Self::encode) gives.
    pub(crate) fn decode(mut bytes: Bytes) -> Option<Self> {
        let count = bytes.try_get_u32_le().ok()? as usize;
        if count > bytes.len() / 16 {
            return None;
        }
        let mut places = Vec::with_capacity(count);
        for _ in 0..count {
            let version = bytes.try_get_u64_le().ok()?;
            let previous = Offset(bytes.try_get_u64_le().ok()?);
            places.push(Place { version, previous });
        }
        let mut effects = Entry::decode(&bytes).ok()?.effects;
        let effect = effects.pop().filter(|_| effects.is_empty())?;
        (effect.events.len() == count).then_some(Self { effect, places })
    }

    /// What the caller of the command heard.
    pub(crate) fn outcome(&self) -> RecordedOutcome {
        outcome(&self.effect)
    }

    /// The events as readers get them.
    pub(crate) fn events(
        self,
        position: Position,
    ) -> impl DoubleEndedIterator<Item = RecordedEvent> {
        let Self { effect, places } = self;
        let (at, id, correlation) = (effect.at, effect.id, effect.trail.correlation);
        let events = effect.events.into_iter().zip(places).enumerate();
        events.map(move |(index, (event, place))| {
            let mut meta = EventMeta::new(position, event.stream, place.version, at);
            // An entry has fewer events than that.
            meta.index = index as u32;
            meta.message_id = id;
            meta.correlation = correlation.clone();
            RecordedEvent {
                name: event.name.into(),
                schema: event.schema,
                payload: event.payload,
                tags: event.tags.into(),
                meta,
            }
        })
    }

    /// Where the stream goes on before this effect; none if this has its first event.
    pub(crate) fn before(&self, stream: &StreamName) -> Option<Offset> {
        let mut events = self.effect.events.iter().zip(&self.places);
        let (_, first) = events.find(|(event, _)| event.stream == *stream)?;
        (first.previous != Offset::ZERO).then_some(first.previous)
    }
}

fn outcome(effect: &Effect) -> RecordedOutcome {
    let (refused, payload) = match &effect.answer {
        RecordedAnswer::None => (false, Bytes::new()),
        RecordedAnswer::Reply(payload) => (false, payload.clone()),
        RecordedAnswer::Refusal(payload) => (true, payload.clone()),
    };
    RecordedOutcome { message_id: effect.id, refused, payload }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::Random;
    use crate::tests::random_effects::random_effect;
    use catga_core::SessionId;

    #[test]
    fn a_record_is_read_as_it_was_written_and_nothing_else_is() {
        let mut random = Random::new(1);
        for _ in 0..200 {
            let mut effect = random_effect(&mut random, SessionId(1));
            effect.conditions.clear();
            let places: Vec<_> = (1..=effect.events.len() as u64)
                .map(|version| Place { version, previous: Offset(version - 1) })
                .collect();
            let record = Record { effect, places };
            let bytes = record.clone().encode();
            assert_eq!(Record::decode(bytes.clone()), Some(record));
            for len in 0..bytes.len() {
                assert_eq!(Record::decode(bytes.slice(..len)), None, "cut to {len}");
            }
        }
        assert_eq!(Record::decode(Bytes::from_static(&[255; 64])), None);
    }
}
