use bytes::{Bytes, BytesMut};

use crate::Topic;

use super::frame::{Frame, Header};
use super::lane::{LANES, Lane, bytes_max};

/// Puts messages together from their fragments.
///
/// Only one message of each lane is under way at a time, so that it holds three at most.
#[derive(Debug)]
pub(super) struct Assembly {
    lanes: [Option<(Header, BytesMut)>; LANES],
    max: usize,
}

/// A message that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) header: Header,
    pub(super) topic: Topic,
    pub(super) payload: Bytes,
}

impl Assembly {
    /// Takes messages of `max` bytes at most.
    pub(super) fn new(max: usize) -> Self {
        Self { lanes: [None, None, None], max }
    }

    /// Takes one fragment, and gives the message if that was its last one.
    ///
    /// # Errors
    /// Why no such fragment may come now.
    pub(super) fn add(&mut self, frame: Frame) -> Result<Option<Whole>, String> {
        let Frame { header, payload } = frame;
        let topic = header.topic.ok_or("a frame about no request")?;
        let lane = &mut self.lanes[Lane::of(topic).index()];
        if let Some((first, _)) = lane
            && !(*first == Header { last: false, ..header })
        {
            return Err(format!("number {} within number {}", header.number, first.number));
        }
        let before = lane.as_ref().map_or(0, |(_, bytes)| bytes.len());
        let max = bytes_max(topic, self.max);
        if before + payload.len() > max {
            return Err(format!("number {} is longer than {max} bytes", header.number));
        }
        if header.last {
            let payload = match lane.take() {
                None => payload,
                Some((_, mut bytes)) => {
                    bytes.extend_from_slice(&payload);
                    bytes.freeze()
                }
            };
            return Ok(Some(Whole { header, topic, payload }));
        }
        if payload.is_empty() {
            // They would come without an end, and nothing would grow.
            return Err(format!("an empty fragment of number {}", header.number));
        }
        let (_, bytes) = lane.get_or_insert_with(|| (header, BytesMut::new()));
        bytes.extend_from_slice(&payload);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Kind;
    use super::*;

    fn fragment(topic: Topic, number: u64, last: bool, payload: &'static [u8]) -> Frame {
        let header = Header { kind: Kind::Request, topic: Some(topic), last, doubt: false, number };
        Frame { header, payload: Bytes::from_static(payload) }
    }

    #[test]
    fn fragments_of_different_lanes_may_interleave() {
        let mut assembly = Assembly::new(8);
        let mut add = |frame| assembly.add(frame).map(|whole| whole.map(|whole| whole.payload));
        assert_eq!(add(fragment(Topic::Snapshot, 1, false, b"abc")), Ok(None));
        assert_eq!(add(fragment(Topic::Append, 2, false, b"12")), Ok(None));
        assert_eq!(add(fragment(Topic::Raft, 3, true, b"!")), Ok(Some("!".into())));
        assert_eq!(add(fragment(Topic::Append, 2, true, b"34")), Ok(Some("1234".into())));
        assert_eq!(add(fragment(Topic::Snapshot, 1, true, b"de")), Ok(Some("abcde".into())));
    }

    #[test]
    fn what_breaks_the_order_or_the_bound_is_refused() {
        let begun = || {
            let mut assembly = Assembly::new(4);
            assembly.add(fragment(Topic::Append, 2, false, b"12")).expect("a first fragment");
            assembly
        };
        assert!(begun().add(fragment(Topic::Append, 3, true, b"")).is_err());
        assert!(begun().add(fragment(Topic::Log, 2, true, b"")).is_err());
        assert!(begun().add(fragment(Topic::Append, 2, true, b"345")).is_err());
        assert!(begun().add(fragment(Topic::Append, 2, false, b"")).is_err());
        assert!(begun().add(fragment(Topic::Append, 2, true, b"34")).is_ok());
        // What is about votes or members is never long.
        let part = Bytes::from(vec![0; 512 << 10]);
        for (topic, may) in [(Topic::Raft, 2), (Topic::Membership, 2), (Topic::Append, 8)] {
            let mut assembly = Assembly::new(4 << 20);
            let add = |_: &usize| {
                let frame = Frame { payload: part.clone(), ..fragment(topic, 1, false, b"") };
                assembly.add(frame).is_ok()
            };
            assert_eq!((0..9).take_while(add).count(), may, "{topic:?}");
        }
        let ping = Frame { header: Header::lone(Kind::Ping, 1), payload: Bytes::new() };
        assert!(begun().add(ping).is_err());
    }
}
