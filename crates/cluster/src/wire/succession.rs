use bytes::Bytes;
use prost::Message;

use super::{Kind, WireError, message, record};
use crate::records::{LogIdRecord, VoteRecord, log_id, log_id_record, vote, vote_record};
use crate::{LogId, Vote};

/// What a node says that has lost the leader of a vote, and asks of others: whether they have too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaderLost {
    pub(crate) vote: Vote,
    /// The last entry of the one who asks.
    pub(crate) last: Option<LogId>,
}

/// What another says to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LostAnswer {
    /// It follows the same vote, and its link to that leader is down.
    pub(crate) lost: bool,
    /// The last entry of the one who answers.
    pub(crate) last: Option<LogId>,
}

#[derive(Clone, PartialEq, Message)]
struct LostRecord {
    #[prost(message, optional, tag = "1")]
    vote: Option<VoteRecord>,
    #[prost(message, optional, tag = "2")]
    last: Option<LogIdRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct AnswerRecord {
    #[prost(bool, tag = "1")]
    lost: bool,
    #[prost(message, optional, tag = "2")]
    last: Option<LogIdRecord>,
}

/// Asks whether the leader is lost.
pub(crate) fn leader_lost(given: &LeaderLost) -> Bytes {
    let (vote, last) = (Some(vote_record(&given.vote)), given.last.as_ref().map(log_id_record));
    message(Kind::LeaderLost, &LostRecord { vote, last })
}

/// A request whether the leader is lost.
pub(crate) fn read_leader_lost(bytes: Bytes) -> Result<LeaderLost, WireError> {
    let lost: LostRecord = record(Kind::LeaderLost, bytes)?;
    let vote = lost.vote.as_ref().map(vote).filter(|vote| vote.committed);
    let vote = vote.ok_or(WireError::Malformed(Kind::LeaderLost, "it names no leader"))?;
    Ok(LeaderLost { vote, last: lost.last.as_ref().map(log_id) })
}

/// Answers whether the leader is lost.
pub(crate) fn lost_answer(given: &LostAnswer) -> Bytes {
    let last = given.last.as_ref().map(log_id_record);
    message(Kind::LostAnswer, &AnswerRecord { lost: given.lost, last })
}

/// Whether another has lost the leader.
pub(crate) fn read_lost_answer(bytes: Bytes) -> Result<LostAnswer, WireError> {
    let answer: AnswerRecord = record(Kind::LostAnswer, bytes)?;
    Ok(LostAnswer { lost: answer.lost, last: answer.last.as_ref().map(log_id) })
}
