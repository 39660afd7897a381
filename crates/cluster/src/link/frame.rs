use std::io;

use bytes::Bytes;

use crate::Topic;

/// The length of a frame's header, which is little-endian: the payload's length (u32), the kind,
/// the topic, flags, a zero, the request's number (u64), and the CRC32C of all that and the payload.
pub(super) const HEADER_BYTES: usize = 20;

/// The longest payload: what an urgent frame waits for at most, once it is its turn.
pub(super) const PAYLOAD_MAX: usize = 64 << 10;

/// Where the checksum is.
const CHECKED: usize = 16;
/// The last fragment of its message.
const LAST: u8 = 1;
/// A failure after which the request may have had an effect.
const DOUBT: u8 = 2;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A fragment of a request.
    Request = 1,
    /// A fragment of what a handler answered.
    Answer = 2,
    /// A fragment of why a request was not answered.
    Failure = 3,
    /// Asks for a pong of the same number.
    Ping = 4,
    /// Answers a ping.
    Pong = 5,
    /// The sender stops; nothing follows.
    Goodbye = 6,
    /// The sender will not go on: why. Nothing follows.
    Refused = 7,
    /// Who the sender is; only in the handshake.
    Hello = 8,
    /// That it knows the secret; only in the handshake.
    Proof = 9,
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Of requests, answers and failures.
    pub(super) topic: Option<Topic>,
    pub(super) last: bool,
    pub(super) doubt: bool,
    pub(super) number: u64,
}

/// One frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) header: Header,
    pub(super) payload: Bytes,
}

/// Why no frame was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the stream ended")]
    Ended,
    #[error("the stream ended within a frame")]
    Truncated,
    #[error("the stream failed: {0}")]
    Stream(io::Error),
    #[error("a frame of {length} bytes where at most {max} are taken")]
    Length { length: u32, max: usize },
    #[error("no frame begins so")]
    Header,
    #[error("a frame has changed on its way")]
    Checksum,
}

impl Header {
    /// A frame by itself, about no request.
    pub(super) fn lone(kind: Kind, number: u64) -> Self {
        Self { kind, topic: None, last: true, doubt: false, number }
    }

    /// The header of a frame with `payload`.
    pub(super) fn encode(&self, payload: &[Bytes]) -> [u8; HEADER_BYTES] {
        let length: usize = payload.iter().map(Bytes::len).sum();
        let length = u32::try_from(length).expect("a fragment is far shorter than 4 GiB");
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4] = self.kind as u8;
        header[5] = self.topic.map_or(0, |topic| topic as u8);
        header[6] = if self.last { LAST } else { 0 } | if self.doubt { DOUBT } else { 0 };
        header[8..CHECKED].copy_from_slice(&self.number.to_le_bytes());
        let crc = crc32c::crc32c(&header[..CHECKED]);
        let crc = payload.iter().fold(crc, |crc, piece| crc32c::crc32c_append(crc, piece));
        header[CHECKED..].copy_from_slice(&crc.to_le_bytes());
        header
    }

    /// The header in `bytes`, and its payload's length.
    pub(super) fn decode(
        bytes: &[u8; HEADER_BYTES],
        max: usize,
    ) -> Result<(Self, usize), ReadError> {
        let [l0, l1, l2, l3, kind, topic, flags, zero, n0, n1, n2, n3, n4, n5, n6, n7, ..] = *bytes;
        let kind = kind_of(kind).ok_or(ReadError::Header)?;
        let of_request = matches!(kind, Kind::Request | Kind::Answer | Kind::Failure);
        let (topic, no_topic) = (topic_of(topic), topic == 0);
        let is_odd = if of_request { topic.is_none() } else { !no_topic };
        if flags & !(LAST | DOUBT) != 0 || zero != 0 || is_odd {
            return Err(ReadError::Header);
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if length as usize > max {
            return Err(ReadError::Length { length, max });
        }
        let number = u64::from_le_bytes([n0, n1, n2, n3, n4, n5, n6, n7]);
        let (last, doubt) = (flags & LAST != 0, flags & DOUBT != 0);
        Ok((Self { kind, topic, last, doubt, number }, length as usize))
    }

    /// Whether `bytes` and `payload` are what was sent.
    pub(super) fn check(bytes: &[u8; HEADER_BYTES], payload: &[u8]) -> Result<(), ReadError> {
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..CHECKED]), payload);
        if bytes[CHECKED..] != crc.to_le_bytes() {
            return Err(ReadError::Checksum);
        }
        Ok(())
    }
}

fn kind_of(byte: u8) -> Option<Kind> {
    Some(match byte {
        1 => Kind::Request,
        2 => Kind::Answer,
        3 => Kind::Failure,
        4 => Kind::Ping,
        5 => Kind::Pong,
        6 => Kind::Goodbye,
        7 => Kind::Refused,
        8 => Kind::Hello,
        9 => Kind::Proof,
        _ => return None,
    })
}

fn topic_of(byte: u8) -> Option<Topic> {
    Some(match byte {
        1 => Topic::Raft,
        2 => Topic::Append,
        3 => Topic::Succession,
        4 => Topic::Log,
        5 => Topic::Snapshot,
        6 => Topic::Membership,
        7 => Topic::Application,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_topic_is_read_as_it_was_written() {
        for kind in (1..=9).map(|byte| kind_of(byte).expect("a kind")) {
            for topic in 0..=7 {
                let of_request = matches!(kind, Kind::Request | Kind::Answer | Kind::Failure);
                if of_request == (topic == 0) {
                    continue;
                }
                let topic = topic_of(topic);
                let header = Header { kind, topic, last: topic.is_none(), doubt: true, number: 77 };
                let payload = [Bytes::from_static(b"ab"), Bytes::from_static(b"c")];
                let bytes = header.encode(&payload);
                assert_eq!(Header::decode(&bytes, 3).expect("it is whole"), (header, 3));
                Header::check(&bytes, b"abc").expect("nothing changed");
                assert!(Header::decode(&bytes, 2).is_err());
            }
        }
    }

    #[test]
    fn a_changed_bit_is_noticed_wherever_it_is() {
        let header = Header { topic: Some(Topic::Log), ..Header::lone(Kind::Request, 1 << 40) };
        let bytes = header.encode(&[Bytes::from_static(b"abc")]);
        for bit in 0..HEADER_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let read = Header::decode(&changed, PAYLOAD_MAX);
            assert!(read.is_err() || Header::check(&changed, b"abc").is_err(), "bit {bit}");
        }
    }
}
