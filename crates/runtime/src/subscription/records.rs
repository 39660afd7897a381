//! What the journal keeps of a subscriber of the whole cluster: two records of the reserved
//! category `catga.subscriber`, by field number.

use bytes::Bytes;
use catga_core::{Offset, StreamName, Timestamp};
use prost::Message;

use super::held::{Entry, Held, Letter};
use super::place::{Cursor, Place};

/// The category of the records, and of the streams of [requests](super::requests).
pub(super) const CATEGORY: &str = "catga.subscriber";

/// What a reader must know at least to act on what this build writes.
const VERSION: u32 = 1;

/// The keys of one subscriber's records.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// Its cursor. Every effect of an owner writes it, on condition that nobody has since the owner
    /// read it: so it fences off whoever was deposed.
    pub(super) cursor: StreamName,
    /// Its dead letters; absent if it has none.
    pub(super) held: StreamName,
}

/// A record cannot be read by this build.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("record {key} cannot be read: {why}")]
pub(super) struct UnreadableRecord {
    key: StreamName,
    why: String,
}

#[derive(Clone, PartialEq, Message)]
struct CursorRecord {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint64, tag = "2")]
    upto: u64,
    #[prost(uint32, tag = "3")]
    done: u32,
    #[prost(uint64, tag = "4")]
    followed: u64,
}

#[derive(Clone, PartialEq, Message)]
struct HeldRecord {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<EntryRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct EntryRecord {
    #[prost(string, tag = "1")]
    stream: String,
    #[prost(bool, tag = "2")]
    parks: bool,
    #[prost(message, optional, tag = "3")]
    letter: Option<LetterRecord>,
    #[prost(message, repeated, tag = "4")]
    parked: Vec<PlaceRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct LetterRecord {
    #[prost(message, optional, tag = "1")]
    place: Option<PlaceRecord>,
    #[prost(string, tag = "2")]
    event: String,
    #[prost(uint32, tag = "3")]
    attempts: u32,
    #[prost(string, tag = "4")]
    error: String,
    #[prost(uint64, tag = "5")]
    at_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct PlaceRecord {
    #[prost(uint64, tag = "1")]
    offset: u64,
    #[prost(uint32, tag = "2")]
    index: u32,
}

impl Keys {
    pub(super) fn of(subscriber: &str) -> Self {
        let key = |what: &str| StreamName::new(CATEGORY, &(subscriber, what));
        Self { cursor: key("cursor"), held: key("dead-letters") }
    }

    /// The cursor, and up to where requests were followed.
    ///
    /// # Errors
    /// When this build cannot read it.
    pub(super) fn read_cursor(&self, value: &[u8]) -> Result<(Cursor, Offset), UnreadableRecord> {
        let record =
            CursorRecord::decode(value).map_err(|error| unreadable(&self.cursor, error))?;
        check_version(&self.cursor, record.version)?;
        let cursor = Cursor { upto: Offset(record.upto), done: record.done };
        Ok((cursor, Offset(record.followed)))
    }

    /// The dead letters.
    ///
    /// # Errors
    /// When this build cannot read them.
    pub(super) fn read_held(&self, value: &[u8]) -> Result<Held, UnreadableRecord> {
        let record = HeldRecord::decode(value).map_err(|error| unreadable(&self.held, error))?;
        check_version(&self.held, record.version)?;
        Ok(Held { entries: record.entries.into_iter().map(Into::into).collect() })
    }
}

pub(super) fn cursor_value(cursor: Cursor, followed: Offset) -> Bytes {
    let Cursor { upto, done } = cursor;
    CursorRecord { version: VERSION, upto: upto.0, done, followed: followed.0 }
        .encode_to_vec()
        .into()
}

/// None for a record that is deleted, since nothing is held.
pub(super) fn held_value(held: &Held) -> Option<Bytes> {
    let entries = || held.entries.iter().map(Into::into).collect();
    let value = || HeldRecord { version: VERSION, entries: entries() }.encode_to_vec().into();
    (!held.is_empty()).then(value)
}

/// What asks for a place, as the payload of a request.
pub(super) fn place_payload(place: Place) -> Bytes {
    PlaceRecord::from(place).encode_to_vec().into()
}

/// None if it is not such a payload.
pub(super) fn read_place(payload: &[u8]) -> Option<Place> {
    PlaceRecord::decode(payload).ok().map(Into::into)
}

fn check_version(key: &StreamName, version: u32) -> Result<(), UnreadableRecord> {
    if version <= VERSION {
        return Ok(());
    }
    let why = format!("it needs version {version}, and this build knows {VERSION}");
    Err(unreadable(key, why))
}

fn unreadable(key: &StreamName, why: impl ToString) -> UnreadableRecord {
    UnreadableRecord { key: key.clone(), why: why.to_string() }
}

impl From<Place> for PlaceRecord {
    fn from(place: Place) -> Self {
        Self { offset: place.offset.0, index: place.index }
    }
}

impl From<PlaceRecord> for Place {
    fn from(place: PlaceRecord) -> Self {
        Self { offset: Offset(place.offset), index: place.index }
    }
}

impl From<&Entry> for EntryRecord {
    fn from(entry: &Entry) -> Self {
        let letter = |letter: &Letter| LetterRecord {
            place: Some(letter.place.into()),
            event: letter.event.clone(),
            attempts: letter.attempts,
            error: letter.error.clone(),
            at_ms: letter.at.as_millis(),
        };
        Self {
            stream: entry.stream.as_str().to_owned(),
            parks: entry.parks,
            letter: entry.letter.as_ref().map(letter),
            parked: entry.parked.iter().copied().map(Into::into).collect(),
        }
    }
}

impl From<EntryRecord> for Entry {
    fn from(entry: EntryRecord) -> Self {
        let letter = |letter: LetterRecord| Letter {
            place: letter.place.unwrap_or_default().into(),
            event: letter.event,
            attempts: letter.attempts,
            error: letter.error,
            at: Timestamp::from_millis(letter.at_ms),
        };
        Self {
            stream: StreamName::from_stored(entry.stream),
            parks: entry.parks,
            letter: entry.letter.map(letter),
            parked: entry.parked.into_iter().map(Into::into).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_a_newer_build_is_told() {
        let keys = Keys::of("ship/it");
        assert_eq!(keys.cursor.as_str(), "catga.subscriber/ship%2Fit/cursor");
        let cursor = Cursor { upto: Offset(70), done: 2 };
        let read = keys.read_cursor(&cursor_value(cursor, Offset(90)));
        assert_eq!(read, Ok((cursor, Offset(90))));
        let place = Place { offset: Offset(71), index: 3 };
        let letter = Letter {
            place,
            event: "order.created".into(),
            attempts: 10,
            error: "no".into(),
            at: Timestamp::from_millis(5),
        };
        let mut held = Held::default();
        let stream = StreamName::new("order", "1");
        held.bury(&stream, true, letter);
        held.park(&stream, Place { offset: Offset(80), index: 0 });
        let value = held_value(&held).expect("something is held");
        assert_eq!(keys.read_held(&value), Ok(held));
        assert_eq!(held_value(&Held::default()), None);
        assert_eq!(read_place(&place_payload(place)), Some(place));
        let newer = CursorRecord { version: VERSION + 1, ..CursorRecord::default() };
        let error = keys.read_cursor(&newer.encode_to_vec()).expect_err("it is newer");
        assert!(error.to_string().contains("needs version 2"), "{error}");
        assert!(keys.read_held(b"\xff").is_err());
    }
}
