use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128};

use crate::Offset;

/// One start of one node, as the journal knows it: the offset of the effect that opened it.
///
/// A node's new session closes its former one. Zero is no session: the id of an effect that
/// opens one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SessionId(pub u64);

/// The id of one command, the same for every attempt at it.
///
/// A second effect with the same id does not count; its caller gets the first answer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct MessageId {
    /// The session of the node that minted the id.
    pub session: SessionId,
    /// Its number in that session, from 1.
    pub sequence: u64,
}

impl MessageId {
    /// The id numbered `sequence` in `session`.
    pub const fn new(session: SessionId, sequence: u64) -> Self {
        Self { session, sequence }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.session.0, self.sequence)
    }
}

/// The written name of a node (`NODE_ID`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// The name as it is written in configuration.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A wall-clock time: milliseconds since the Unix epoch, UTC.
///
/// In formats that people read it is RFC 3339 text, `2026-11-21T09:30:00.000Z`; in others it is the
/// number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// The last time that can be written as RFC 3339 in every time zone: the end of the year 9999.
const LAST_MILLIS: u64 = 253_402_207_200_000;

impl Timestamp {
    /// The time `millis` milliseconds after the Unix epoch, at most the end of the year 9999.
    pub const fn from_millis(millis: u64) -> Self {
        Self(if millis > LAST_MILLIS { LAST_MILLIS } else { millis })
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0 as i64)
            .expect("no timestamp lies behind the year 9999");
        write!(f, "{time:.3}")
    }
}

/// The text is not a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTimestampError(String);

impl fmt::Display for ParseTimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a time such as 2026-11-21T09:30:00Z: {}", self.0)
    }
}

impl std::error::Error for ParseTimestampError {}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time: jiff::Timestamp =
            text.parse().map_err(|error: jiff::Error| ParseTimestampError(error.to_string()))?;
        let millis = u64::try_from(time.as_millisecond())
            .map_err(|_| ParseTimestampError("it lies before 1970".to_owned()))?;
        Ok(Self::from_millis(millis))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = Cow::<str>::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self::from_millis)
        }
    }
}

/// The UUID that every attempt of the message `id` gets for its `counter`-th new id.
///
/// It has the layout of a version 7 UUID (RFC 9562): `at` leads, so that ids sort by time; the
/// other 74 bits are a hash of the journal's incarnation, the message id and the counter.
pub fn derive_uuid(incarnation: u64, id: MessageId, counter: u64, at: Timestamp) -> Uuid {
    let mut seed = [0u8; 32];
    seed[..8].copy_from_slice(&incarnation.to_le_bytes());
    seed[8..16].copy_from_slice(&id.session.0.to_le_bytes());
    seed[16..24].copy_from_slice(&id.sequence.to_le_bytes());
    seed[24..].copy_from_slice(&counter.to_le_bytes());
    let hash = xxh3_128(&seed).to_le_bytes();
    let mut random = [0u8; 10];
    random.copy_from_slice(&hash[..10]);
    uuid::Builder::from_unix_timestamp_millis(at.as_millis(), &random).into_uuid()
}

/// What stands for a delivery, and never for an effect: no session is numbered so high. Each
/// subscriber and index within an effect has a number of its own.
pub(crate) fn delivery_id(subscriber: &str, offset: Offset, index: u32) -> MessageId {
    let hash = xxh3_64_with_seed(subscriber.as_bytes(), index.into());
    MessageId::new(SessionId(hash | 1 << 63), offset.0)
}

/// The hash by which two payloads under one id are told apart (XXH3, 64 bits).
///
/// It guards against mistakes, not against forgery.
pub fn payload_hash(payload: &[u8]) -> u64 {
    xxh3_64(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_and_read_as_rfc3339() {
        let time = Timestamp::from_millis(1_795_253_400_120);
        assert_eq!(time.to_string(), "2026-11-21T09:30:00.120Z");
        assert_eq!("2026-11-21T10:30:00.12+01:00".parse(), Ok(time));
        assert!("1969-12-31T23:59:59Z".parse::<Timestamp>().is_err());
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!(Timestamp::from_millis(u64::MAX).to_string().starts_with("9999-"));
    }

    #[test]
    fn every_attempt_derives_the_same_ids_and_no_two_counters_meet() {
        let id = MessageId::new(SessionId(7), 42);
        let at = Timestamp::from_millis(1_795_255_800_123);
        let first = derive_uuid(1, id, 0, at);
        assert_eq!(first, derive_uuid(1, id, 0, at));
        assert_ne!(first, derive_uuid(1, id, 1, at));
        assert_ne!(first, derive_uuid(2, id, 0, at));
        assert_eq!(first.get_version_num(), 7);
    }

    #[test]
    fn no_two_deliveries_derive_the_same_ids() {
        let ids = [
            delivery_id("mail", Offset(1), 0),
            delivery_id("mail", Offset(1), 1),
            delivery_id("mail", Offset(2), 0),
            delivery_id("post", Offset(1), 0),
        ];
        for (i, left) in ids.iter().enumerate() {
            assert!(left.session.0 > u64::MAX / 2, "no session is called so");
            assert!(!ids[i + 1..].contains(left));
        }
        assert_eq!(ids[0], delivery_id("mail", Offset(1), 0));
    }
}
