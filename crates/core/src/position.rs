use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The number of an effect that counted, from 1, gap-free; zero is before the first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// Before the first effect.
    pub const ZERO: Self = Self(0);

    /// The offset after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in the journal: what a caller has seen, or where an event stands.
///
/// Opaque and ordered. Positions of two incarnations must not be compared: an incarnation changes
/// when a backend may have moved backwards (a restore, every start of a memory log).
/// As text it is `incarnation-partition-offset` in hexadecimal, a session token for other nodes; no two
/// texts are one position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which life of the journal this belongs to.
    pub incarnation: u64,
    /// The partition; today there is one, zero.
    pub partition: u32,
    /// How many effects counted up to here.
    pub offset: Offset,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.incarnation, self.partition, self.offset.0)
    }
}

/// The text is not a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePositionError;

impl fmt::Display for ParsePositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a position: expected three hexadecimal numbers such as `1a2b-0-ff`")
    }
}

impl std::error::Error for ParsePositionError {}

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('-');
        let mut number = || {
            let part = parts.next().ok_or(ParsePositionError)?;
            // `from_str_radix` takes a leading sign, zeros and capital letters. A position has none of
            // them: it is one text, so that texts may be compared.
            let is_written = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if !part.bytes().all(is_written) || part.len() > 1 && part.starts_with('0') {
                return Err(ParsePositionError);
            }
            u64::from_str_radix(part, 16).map_err(|_| ParsePositionError)
        };
        let (incarnation, partition, offset) = (number()?, number()?, number()?);
        if parts.next().is_some() {
            return Err(ParsePositionError);
        }
        let partition = u32::try_from(partition).map_err(|_| ParsePositionError)?;
        Ok(Self { incarnation, partition, offset: Offset(offset) })
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_the_way_through_text() {
        let position = Position { incarnation: u64::MAX, partition: 3, offset: Offset(0x1f) };
        assert_eq!(position.to_string(), "ffffffffffffffff-3-1f");
        assert_eq!(position.to_string().parse(), Ok(position));
    }

    #[test]
    fn what_is_not_a_position_is_refused() {
        let texts =
            ["", "1", "1-2", "1-2-3-4", "1-2-x", "+1-0-1", "1-100000000-1", "1--1", " 1-0-1"];
        // Those would be positions that have another text.
        for text in texts.into_iter().chain(["A-0-1", "01-0-1", "1-00-1"]) {
            assert_eq!(text.parse::<Position>(), Err(ParsePositionError), "{text:?}");
        }
    }
}
