use bytes::Bytes;
use prost::Message;

use super::{Kind, WireError, message, record};
use crate::records::{LogIdRecord, VoteRecord, log_id, log_id_record, vote, vote_record};
use crate::{LogId, Vote};

#[derive(Clone, PartialEq, Message)]
struct RequestRecord {
    #[prost(message, optional, tag = "1")]
    leader: Option<VoteRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct AnswerRecord {
    #[prost(message, optional, tag = "1")]
    leader: Option<VoteRecord>,
    #[prost(message, optional, tag = "2")]
    index: Option<LogIdRecord>,
}

/// Asks the leader of a vote for a read index.
pub(crate) fn read_index(leader: &Vote) -> Bytes {
    message(Kind::ReadIndex, &RequestRecord { leader: Some(vote_record(leader)) })
}

/// Which leader is asked for a read index.
pub(crate) fn read_read_index(bytes: Bytes) -> Result<Vote, WireError> {
    let request: RequestRecord = record(Kind::ReadIndex, bytes)?;
    leader(Kind::ReadIndex, request.leader.as_ref())
}

/// A read index, and the leadership that it was confirmed in.
pub(crate) fn read_index_answer(leader: &Vote, index: &LogId) -> Bytes {
    let (leader, index) = (Some(vote_record(leader)), Some(log_id_record(index)));
    message(Kind::ReadIndexAnswer, &AnswerRecord { leader, index })
}

/// The leadership that a read index was confirmed in, and the index.
pub(crate) fn read_read_index_answer(bytes: Bytes) -> Result<(Vote, LogId), WireError> {
    let answer: AnswerRecord = record(Kind::ReadIndexAnswer, bytes)?;
    let leader = leader(Kind::ReadIndexAnswer, answer.leader.as_ref())?;
    let missing = WireError::Malformed(Kind::ReadIndexAnswer, "the index is missing");
    Ok((leader, answer.index.as_ref().map(log_id).ok_or(missing)?))
}

fn leader(kind: Kind, given: Option<&VoteRecord>) -> Result<Vote, WireError> {
    let leader = given.map(vote).filter(|vote| vote.committed);
    leader.ok_or(WireError::Malformed(kind, "it names no leader"))
}
