use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

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
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time as RFC 3339 text in UTC with milliseconds, such as `2026-11-21T09:30:00.000Z`.
    pub fn to_rfc3339(self) -> String {
        // Days to civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
        let days = (self.0 / 86_400_000) as i64 + 719_468;
        let era = days / 146_097;
        let day_of_era = days - era * 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_index + 2) / 5 + 1;
        let month = if month_index < 10 {
            month_index + 3
        } else {
            month_index - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (seconds, millis) = (self.0 / 1000 % 86_400, self.0 % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
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
    fn timestamps_are_written_as_rfc3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_255_800_123, "2026-11-21T09:30:00.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(time.to_rfc3339(), text, "{millis}");
        }
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
}
