use bytes::{Bytes, BytesMut};
use catga_journal::{HistoryPart, HistorySegment};
use prost::Message;

use super::{Kind, WireError, head, message, put_head, record};

/// What a node wants of a segment of the history, because its own is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HistoryAsk {
    pub(crate) segment: HistorySegment,
    /// From which byte of the file on.
    pub(crate) offset: u64,
    /// At most so many bytes.
    pub(crate) bytes: u32,
}

/// What the other node has of it; none if not all of it.
pub(crate) type HistoryFound = Option<HistoryPart>;

#[derive(Clone, PartialEq, Message)]
struct AskRecord {
    #[prost(uint64, tag = "1")]
    first: u64,
    #[prost(uint64, tag = "2")]
    last: u64,
    #[prost(fixed64, tag = "3")]
    hash: u64,
    #[prost(bool, tag = "4")]
    is_sealed: bool,
    #[prost(uint64, tag = "5")]
    offset: u64,
    #[prost(uint32, tag = "6")]
    bytes: u32,
}

#[derive(Clone, PartialEq, Message)]
struct PartHead {
    #[prost(uint64, optional, tag = "1")]
    length: Option<u64>,
}

/// Asks for a part of a segment.
pub(crate) fn history_ask(ask: &HistoryAsk) -> Bytes {
    let HistoryAsk { segment, offset, bytes } = *ask;
    let HistorySegment { first, last, hash, is_sealed } = segment;
    message(Kind::HistoryAsk, &AskRecord { first, last, hash, is_sealed, offset, bytes })
}

/// What part of a segment is asked for.
pub(crate) fn read_history_ask(bytes: Bytes) -> Result<HistoryAsk, WireError> {
    let AskRecord { first, last, hash, is_sealed, offset, bytes } =
        record(Kind::HistoryAsk, bytes)?;
    let segment = HistorySegment { first, last, hash, is_sealed };
    Ok(HistoryAsk { segment, offset, bytes })
}

/// The part that was asked for.
pub(crate) fn history_part(found: &HistoryFound) -> Bytes {
    let fields = PartHead { length: found.as_ref().map(|part| part.length) };
    let part = found.as_ref().map(|part| &*part.bytes).unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(6 + fields.encoded_len() + part.len());
    put_head(&mut bytes, Kind::HistoryPart, &fields);
    bytes.extend_from_slice(part);
    bytes.freeze()
}

/// The part that was found.
pub(crate) fn read_history_part(bytes: Bytes) -> Result<HistoryFound, WireError> {
    let (fields, bytes) = head::<PartHead>(Kind::HistoryPart, bytes)?;
    Ok(fields.length.map(|length| HistoryPart { length, bytes }))
}
