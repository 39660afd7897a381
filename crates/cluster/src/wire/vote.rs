use bytes::Bytes;
use openraft::raft::{VoteRequest, VoteResponse};
use prost::Message;

use super::{Kind, WireError, message, record};
use crate::TypeConfig;
use crate::records::{
    LogIdRecord, VoteRecord, log_id, log_id_record, vote as vote_of, vote_record,
};

#[derive(Clone, PartialEq, Message)]
struct RequestRecord {
    #[prost(message, optional, tag = "1")]
    vote: Option<VoteRecord>,
    #[prost(message, optional, tag = "2")]
    last: Option<LogIdRecord>,
    /// The voters have agreed that the leader is gone, or it has asked for this itself.
    #[prost(bool, tag = "3")]
    transfer: bool,
}

#[derive(Clone, PartialEq, Message)]
struct AnswerRecord {
    #[prost(message, optional, tag = "1")]
    vote: Option<VoteRecord>,
    #[prost(message, optional, tag = "2")]
    last: Option<LogIdRecord>,
    #[prost(bool, tag = "3")]
    granted: bool,
}

/// Asks for a vote.
pub(crate) fn vote(request: &VoteRequest<TypeConfig>) -> Bytes {
    write(Kind::Vote, request)
}

/// Asks whether there would be a vote.
pub(crate) fn pre_vote(request: &VoteRequest<TypeConfig>) -> Bytes {
    write(Kind::PreVote, request)
}

/// A candidate's request for a vote.
pub(crate) fn read_vote(bytes: Bytes) -> Result<VoteRequest<TypeConfig>, WireError> {
    read(Kind::Vote, bytes)
}

/// A request whether there would be a vote.
pub(crate) fn read_pre_vote(bytes: Bytes) -> Result<VoteRequest<TypeConfig>, WireError> {
    read(Kind::PreVote, bytes)
}

fn write(kind: Kind, request: &VoteRequest<TypeConfig>) -> Bytes {
    let record = RequestRecord {
        vote: Some(vote_record(&request.vote)),
        last: request.last_log_id.as_ref().map(log_id_record),
        transfer: request.leadership_transfer,
    };
    message(kind, &record)
}

fn read(kind: Kind, bytes: Bytes) -> Result<VoteRequest<TypeConfig>, WireError> {
    let request: RequestRecord = record(kind, bytes)?;
    // A committed one would make the sender a leader whom nobody has elected.
    let asked = request.vote.as_ref().map(vote_of).filter(|vote| !vote.committed);
    let asked = asked.ok_or(WireError::Malformed(kind, "it is from no candidate"))?;
    let mut read = VoteRequest::new(asked, request.last.as_ref().map(log_id));
    read.leadership_transfer = request.transfer;
    Ok(read)
}

/// Answers a request for a vote, or whether there would be one.
pub(crate) fn vote_answer(answer: &VoteResponse<TypeConfig>) -> Bytes {
    let record = AnswerRecord {
        vote: Some(vote_record(&answer.vote)),
        last: answer.last_log_id.as_ref().map(log_id_record),
        granted: answer.vote_granted,
    };
    message(Kind::VoteAnswer, &record)
}

/// A voter's answer.
pub(crate) fn read_vote_answer(bytes: Bytes) -> Result<VoteResponse<TypeConfig>, WireError> {
    let answer: AnswerRecord = record(Kind::VoteAnswer, bytes)?;
    let missing = WireError::Malformed(Kind::VoteAnswer, "the vote is missing");
    let given = answer.vote.as_ref().map(vote_of).ok_or(missing)?;
    Ok(VoteResponse::new(given, answer.last.as_ref().map(log_id), answer.granted))
}
