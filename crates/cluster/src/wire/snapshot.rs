use bytes::{Bytes, BytesMut};
use catga_journal::LogIndex;
use openraft::SnapshotMeta;
use openraft::alias::SnapshotMetaOf;
use prost::Message;

use super::{Kind, WireError, head, message, put_head, record};
use crate::records::{
    LogIdRecord, MembersRecord, VoteRecord, log_id, log_id_record, stored_members,
    stored_members_record, vote, vote_record,
};
use crate::{TypeConfig, Vote};

/// A part of a snapshot, with all that says of which.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// The leader that sends it.
    pub(crate) vote: Vote,
    pub(crate) meta: SnapshotMetaOf<TypeConfig>,
    pub(crate) upto: Option<LogIndex>,
    /// How many bytes the whole has.
    pub(crate) total: u64,
    /// Of the whole: CRC-32C.
    pub(crate) checksum: u32,
    /// Where `bytes` belong in it.
    pub(crate) offset: u64,
    /// None at first, to hear how much the receiver has already.
    pub(crate) bytes: Bytes,
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartAnswer {
    /// The receiver has so many bytes of the whole, from its beginning.
    Has(u64),
    /// There is no more to send: it is installed, or the receiver's vote is higher.
    Done(Vote),
}

#[derive(Clone, PartialEq, Message)]
struct PartHead {
    #[prost(message, optional, tag = "1")]
    vote: Option<VoteRecord>,
    #[prost(message, optional, tag = "2")]
    last: Option<LogIdRecord>,
    #[prost(message, optional, tag = "3")]
    members: Option<MembersRecord>,
    #[prost(message, optional, tag = "4")]
    upto: Option<UptoRecord>,
    #[prost(uint64, tag = "5")]
    total: u64,
    #[prost(fixed32, tag = "6")]
    checksum: u32,
    #[prost(uint64, tag = "7")]
    offset: u64,
}

#[derive(Clone, PartialEq, Message)]
struct UptoRecord {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(uint64, tag = "2")]
    index: u64,
}

#[derive(Clone, PartialEq, Message)]
struct AnswerRecord {
    #[prost(uint64, tag = "1")]
    has: u64,
    #[prost(message, optional, tag = "2")]
    done: Option<VoteRecord>,
}

/// Sends a part; its bytes are not copied.
pub(crate) fn snapshot_part(part: &Part) -> Vec<Bytes> {
    let fields = PartHead {
        vote: Some(vote_record(&part.vote)),
        last: part.meta.last_log_id.as_ref().map(log_id_record),
        members: Some(stored_members_record(&part.meta.last_membership)),
        upto: part.upto.map(|upto| UptoRecord { term: upto.term, index: upto.index }),
        total: part.total,
        checksum: part.checksum,
        offset: part.offset,
    };
    let mut first = BytesMut::with_capacity(6 + fields.encoded_len());
    put_head(&mut first, Kind::SnapshotPart, &fields);
    let mut pieces = vec![first.freeze()];
    pieces.extend((!part.bytes.is_empty()).then(|| part.bytes.clone()));
    pieces
}

/// A part from a leader.
pub(crate) fn read_snapshot_part(bytes: Bytes) -> Result<Part, WireError> {
    let malformed = |what| WireError::Malformed(Kind::SnapshotPart, what);
    let (fields, bytes) = head::<PartHead>(Kind::SnapshotPart, bytes)?;
    let given = fields.vote.as_ref().map(vote).filter(|vote| vote.committed);
    let members = fields.members.as_ref().and_then(stored_members);
    let end = fields.offset.checked_add(bytes.len() as u64);
    if end.is_none_or(|end| end > fields.total) {
        return Err(malformed("it is longer than the whole"));
    }
    Ok(Part {
        vote: given.ok_or_else(|| malformed("it is from no leader"))?,
        meta: SnapshotMeta {
            last_log_id: fields.last.as_ref().map(log_id),
            last_membership: members.ok_or_else(|| malformed("it names no members"))?,
        },
        upto: fields.upto.map(|upto| LogIndex { term: upto.term, index: upto.index }),
        total: fields.total,
        checksum: fields.checksum,
        offset: fields.offset,
        bytes,
    })
}

/// Answers a part.
pub(crate) fn snapshot_part_answer(answer: &PartAnswer) -> Bytes {
    let record = match answer {
        PartAnswer::Has(has) => AnswerRecord { has: *has, done: None },
        PartAnswer::Done(vote) => AnswerRecord { has: 0, done: Some(vote_record(vote)) },
    };
    message(Kind::SnapshotPartAnswer, &record)
}

/// What became of a part at the receiver.
pub(crate) fn read_snapshot_part_answer(bytes: Bytes) -> Result<PartAnswer, WireError> {
    let answer: AnswerRecord = record(Kind::SnapshotPartAnswer, bytes)?;
    Ok(match answer.done.as_ref().map(vote) {
        Some(vote) => PartAnswer::Done(vote),
        None => PartAnswer::Has(answer.has),
    })
}
