//! What the nodes of a log say to each other, as bytes.
//!
//! A message begins with two bytes: which one it is, and in which version. What follows is a
//! protobuf message, or begins with one where entries or parts of a snapshot come behind it.
//! Nothing that a peer can send makes a decoder panic, recurse or reserve more than it was sent.

mod append;
mod history;
mod pieces;
mod read_index;
mod snapshot;
mod succession;
#[cfg(test)]
mod tests;
mod transfer;
mod vote;

#[cfg(test)]
mod fuzz;

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub(crate) use self::append::{Appended, append, append_answer, read_append, read_append_answer};
pub(crate) use self::history::{
    HistoryAsk, history_ask, history_part, read_history_ask, read_history_part,
};
pub(crate) use self::pieces::{
    Offer, PieceAnswer, PiecePart, read_snapshot_offer, read_snapshot_piece,
    read_snapshot_piece_answer, snapshot_offer, snapshot_piece, snapshot_piece_answer,
};
pub(crate) use self::read_index::{
    read_index, read_index_answer, read_read_index, read_read_index_answer,
};
pub(crate) use self::snapshot::{
    Part, PartAnswer, read_snapshot_part, read_snapshot_part_answer, snapshot_part,
    snapshot_part_answer,
};
pub(crate) use self::succession::{
    LeaderLost, LostAnswer, leader_lost, lost_answer, read_leader_lost, read_lost_answer,
};
pub(crate) use self::transfer::{read_transfer, read_transfer_answer, transfer, transfer_answer};
pub(crate) use self::vote::{
    pre_vote, read_pre_vote, read_vote, read_vote_answer, vote, vote_answer,
};

/// How long fields before entries or parts may be, and members: what they are made of takes up to a
/// hundred times as much, since a member may be two bytes long and has a name and an address.
const FIELDS_MAX: usize = 1 << 20;

/// The version of every message so far.
const VERSION: u8 = 1;

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Append = 1,
    AppendAnswer = 2,
    Vote = 3,
    PreVote = 4,
    VoteAnswer = 5,
    Transfer = 6,
    TransferAnswer = 7,
    ReadIndex = 8,
    ReadIndexAnswer = 9,
    LeaderLost = 10,
    LostAnswer = 11,
    SnapshotPart = 12,
    SnapshotPartAnswer = 13,
    SnapshotOffer = 14,
    SnapshotPiece = 15,
    SnapshotPieceAnswer = 16,
    Introduction = 17,
    Adopt = 18,
    Adopted = 19,
    Join = 20,
    JoinAnswer = 21,
    HistoryAsk = 22,
    HistoryPart = 23,
    Change = 24,
    ChangeAnswer = 25,
}

impl Kind {
    const ALL: [Self; 25] = [
        Self::Append,
        Self::AppendAnswer,
        Self::Vote,
        Self::PreVote,
        Self::VoteAnswer,
        Self::Transfer,
        Self::TransferAnswer,
        Self::ReadIndex,
        Self::ReadIndexAnswer,
        Self::LeaderLost,
        Self::LostAnswer,
        Self::SnapshotPart,
        Self::SnapshotPartAnswer,
        Self::Introduction,
        Self::Adopt,
        Self::Adopted,
        Self::Join,
        Self::JoinAnswer,
        Self::SnapshotOffer,
        Self::SnapshotPiece,
        Self::SnapshotPieceAnswer,
        Self::HistoryAsk,
        Self::HistoryPart,
        Self::Change,
        Self::ChangeAnswer,
    ];

    /// What a message says that it is.
    pub(crate) fn of(message: &[u8]) -> Result<Self, WireError> {
        let [kind, version, ..] = *message else {
            return Err(WireError::NoHead(message.len()));
        };
        let known = Self::ALL.into_iter().find(|known| *known as u8 == kind);
        let known = known.ok_or(WireError::UnknownKind(kind))?;
        if version == VERSION { Ok(known) } else { Err(WireError::Version(known, version)) }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "an append",
            Self::AppendAnswer => "an answer to an append",
            Self::Vote => "a vote request",
            Self::PreVote => "a pre-vote request",
            Self::VoteAnswer => "an answer to a vote request",
            Self::Transfer => "a transfer of leadership",
            Self::TransferAnswer => "an answer to a transfer of leadership",
            Self::ReadIndex => "a request for a read index",
            Self::ReadIndexAnswer => "a read index",
            Self::LeaderLost => "a message that the leader is lost",
            Self::LostAnswer => "an answer to whether the leader is lost",
            Self::SnapshotPart => "a part of a snapshot",
            Self::SnapshotPartAnswer => "an answer to a part of a snapshot",
            Self::Introduction => "an introduction of a member",
            Self::Adopt => "a charter to adopt",
            Self::Adopted => "an answer to a charter",
            Self::Join => "a request to join",
            Self::JoinAnswer => "an answer to a request to join",
            Self::SnapshotOffer => "the offer of a snapshot",
            Self::SnapshotPiece => "a part of a piece of a snapshot",
            Self::SnapshotPieceAnswer => "what is wanted of a snapshot",
            Self::HistoryAsk => "a request for a part of the history",
            Self::HistoryPart => "a part of the history",
            Self::Change => "a change of the membership",
            Self::ChangeAnswer => "an answer to a change of the membership",
        })
    }
}

/// Why bytes are not the message that they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("a message of {0} bytes is too short to say what it is")]
    NoHead(usize),
    #[error("messages of kind {0} are not known to this build")]
    UnknownKind(u8),
    #[error("{0} in version {1} is not known to this build")]
    Version(Kind, u8),
    #[error("{0} was expected and {1} came")]
    Unexpected(Kind, Kind),
    #[error("{0} is malformed: {1}")]
    Malformed(Kind, &'static str),
    #[error("{0} cannot be sent: {1}")]
    Unsendable(Kind, &'static str),
}

/// A message that is all protobuf.
pub(crate) fn message(kind: Kind, record: &impl prost::Message) -> Bytes {
    let mut bytes = BytesMut::with_capacity(2 + record.encoded_len());
    bytes.put_u8(kind as u8);
    bytes.put_u8(VERSION);
    put_record(&mut bytes, record);
    bytes.freeze()
}

fn put_record(bytes: &mut BytesMut, record: &impl prost::Message) {
    let encoded = record.encode(bytes);
    encoded.expect("a growing buffer has room");
}

/// What follows the head of a message that must be of `kind`.
fn body(kind: Kind, mut message: Bytes) -> Result<Bytes, WireError> {
    match Kind::of(&message)? {
        found if found == kind => {
            message.advance(2);
            Ok(message)
        }
        found => Err(WireError::Unexpected(kind, found)),
    }
}

/// The protobuf message that a message of `kind` is.
pub(crate) fn record<R: prost::Message + Default>(
    kind: Kind,
    message: Bytes,
) -> Result<R, WireError> {
    decode(kind, body(kind, message)?)
}

fn decode<R: prost::Message + Default>(kind: Kind, bytes: Bytes) -> Result<R, WireError> {
    R::decode(bytes).map_err(|_| WireError::Malformed(kind, "it does not hold its fields"))
}

/// A message that begins with a protobuf message, whose length stands before it.
fn put_head(bytes: &mut BytesMut, kind: Kind, record: &impl prost::Message) {
    bytes.put_u8(kind as u8);
    bytes.put_u8(VERSION);
    // Heads have a few fields of fixed size, and members.
    bytes.put_u32_le(record.encoded_len() as u32);
    put_record(bytes, record);
}

/// The protobuf message that a message of `kind` begins with, and what follows it.
fn head<R: prost::Message + Default>(kind: Kind, message: Bytes) -> Result<(R, Bytes), WireError> {
    let mut rest = body(kind, message)?;
    let short = WireError::Malformed(kind, "it ends before its fields do");
    let length = rest.try_get_u32_le().map_err(|_| short.clone())? as usize;
    if length > rest.len() {
        return Err(short);
    }
    if length > FIELDS_MAX {
        return Err(WireError::Malformed(kind, "its fields are too long"));
    }
    let fields = rest.split_to(length);
    Ok((decode(kind, fields)?, rest))
}
