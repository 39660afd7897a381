use bytes::{Bytes, BytesMut};
use catga_journal::{LogIndex, LogSnapshot, PiecePlace};
use openraft::SnapshotMeta;
use openraft::alias::SnapshotMetaOf;
use prost::Message;

use super::{Kind, WireError, head, message, put_head, record};
use crate::records::{
    LogIdRecord, MembersRecord, VoteRecord, log_id, log_id_record, stored_members,
    stored_members_record, vote, vote_record,
};
use crate::{TypeConfig, Vote};

/// A snapshot whose pieces a leader has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offer {
    /// The leader that sends it.
    pub(crate) vote: Vote,
    pub(crate) meta: SnapshotMetaOf<TypeConfig>,
    /// Which names the pieces.
    pub(crate) snapshot: LogSnapshot,
}

/// A part of a piece, or without bytes the question what is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PiecePart {
    /// The leader that sends it.
    pub(crate) vote: Vote,
    /// Of which snapshot: the hash of what was offered.
    pub(crate) of: u64,
    pub(crate) at: PiecePlace,
    /// Of the bytes: CRC-32C.
    pub(crate) checksum: u32,
    pub(crate) bytes: Bytes,
}

/// What came of an offer or a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceAnswer {
    /// What must come next.
    Wanted(PiecePlace),
    /// The receiver is at work, and is to be asked again in a moment.
    Busy,
    /// The receiver has not heard of this snapshot: it is to be offered.
    Unknown,
    /// There is no more to send: it is installed, or the receiver's vote is higher.
    Done(Vote),
}

#[derive(Clone, PartialEq, Message)]
struct OfferHead {
    #[prost(message, optional, tag = "1")]
    vote: Option<VoteRecord>,
    #[prost(message, optional, tag = "2")]
    last: Option<LogIdRecord>,
    #[prost(message, optional, tag = "3")]
    members: Option<MembersRecord>,
    #[prost(uint64, optional, tag = "4")]
    upto_term: Option<u64>,
    #[prost(uint64, tag = "5")]
    upto_index: u64,
}

#[derive(Clone, PartialEq, Message)]
struct PartHead {
    #[prost(message, optional, tag = "1")]
    vote: Option<VoteRecord>,
    #[prost(fixed64, tag = "2")]
    of: u64,
    #[prost(uint32, tag = "3")]
    piece: u32,
    #[prost(uint64, tag = "4")]
    offset: u64,
    #[prost(fixed32, tag = "5")]
    checksum: u32,
}

#[derive(Clone, PartialEq, Message)]
struct AnswerRecord {
    #[prost(uint32, optional, tag = "1")]
    piece: Option<u32>,
    #[prost(uint64, tag = "2")]
    offset: u64,
    #[prost(bool, tag = "3")]
    unknown: bool,
    #[prost(message, optional, tag = "4")]
    done: Option<VoteRecord>,
}

/// Offers a snapshot.
pub(crate) fn snapshot_offer(offer: &Offer) -> Vec<Bytes> {
    let upto = offer.snapshot.upto;
    let fields = OfferHead {
        vote: Some(vote_record(&offer.vote)),
        last: offer.meta.last_log_id.as_ref().map(log_id_record),
        members: Some(stored_members_record(&offer.meta.last_membership)),
        upto_term: upto.map(|upto| upto.term),
        upto_index: upto.map_or(0, |upto| upto.index),
    };
    pieces(Kind::SnapshotOffer, &fields, &offer.snapshot.data)
}

/// An offer from a leader.
pub(crate) fn read_snapshot_offer(bytes: Bytes) -> Result<Offer, WireError> {
    let malformed = |what| WireError::Malformed(Kind::SnapshotOffer, what);
    let (fields, data) = head::<OfferHead>(Kind::SnapshotOffer, bytes)?;
    let members = fields.members.as_ref().and_then(stored_members);
    let index = fields.upto_index;
    Ok(Offer {
        vote: leader(Kind::SnapshotOffer, fields.vote.as_ref())?,
        meta: SnapshotMeta {
            last_log_id: fields.last.as_ref().map(log_id),
            last_membership: members.ok_or_else(|| malformed("it names no members"))?,
        },
        snapshot: LogSnapshot { upto: fields.upto_term.map(|term| LogIndex { term, index }), data },
    })
}

/// Sends a part of a piece; its bytes are not copied.
pub(crate) fn snapshot_piece(part: &PiecePart) -> Vec<Bytes> {
    let fields = PartHead {
        vote: Some(vote_record(&part.vote)),
        of: part.of,
        piece: part.at.piece,
        offset: part.at.offset,
        checksum: part.checksum,
    };
    pieces(Kind::SnapshotPiece, &fields, &part.bytes)
}

/// A part of a piece from a leader.
pub(crate) fn read_snapshot_piece(bytes: Bytes) -> Result<PiecePart, WireError> {
    let (fields, bytes) = head::<PartHead>(Kind::SnapshotPiece, bytes)?;
    Ok(PiecePart {
        vote: leader(Kind::SnapshotPiece, fields.vote.as_ref())?,
        of: fields.of,
        at: PiecePlace { piece: fields.piece, offset: fields.offset },
        checksum: fields.checksum,
        bytes,
    })
}

/// Answers an offer or a part.
pub(crate) fn snapshot_piece_answer(answer: &PieceAnswer) -> Bytes {
    let record = match answer {
        PieceAnswer::Wanted(PiecePlace { piece, offset }) => {
            AnswerRecord { piece: Some(*piece), offset: *offset, ..AnswerRecord::default() }
        }
        PieceAnswer::Busy => AnswerRecord::default(),
        PieceAnswer::Unknown => AnswerRecord { unknown: true, ..AnswerRecord::default() },
        PieceAnswer::Done(vote) => {
            AnswerRecord { done: Some(vote_record(vote)), ..AnswerRecord::default() }
        }
    };
    message(Kind::SnapshotPieceAnswer, &record)
}

/// What came of an offer or a part at the receiver.
pub(crate) fn read_snapshot_piece_answer(bytes: Bytes) -> Result<PieceAnswer, WireError> {
    let answer: AnswerRecord = record(Kind::SnapshotPieceAnswer, bytes)?;
    let AnswerRecord { piece, offset, unknown, done } = answer;
    Ok(match (done.as_ref().map(vote), piece) {
        (Some(vote), _) => PieceAnswer::Done(vote),
        (None, Some(piece)) => PieceAnswer::Wanted(PiecePlace { piece, offset }),
        (None, None) if unknown => PieceAnswer::Unknown,
        (None, None) => PieceAnswer::Busy,
    })
}

fn leader(kind: Kind, record: Option<&VoteRecord>) -> Result<Vote, WireError> {
    let given = record.map(vote).filter(|vote| vote.committed);
    given.ok_or(WireError::Malformed(kind, "it is from no leader"))
}

fn pieces(kind: Kind, fields: &impl Message, bytes: &Bytes) -> Vec<Bytes> {
    let mut first = BytesMut::with_capacity(6 + fields.encoded_len());
    put_head(&mut first, kind, fields);
    let mut pieces = vec![first.freeze()];
    pieces.extend((!bytes.is_empty()).then(|| bytes.clone()));
    pieces
}
