use bytes::Bytes;
use openraft::raft::{TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse};
use prost::Message;

use super::{Kind, WireError, message, record};
use crate::TypeConfig;
use crate::records::{LogIdRecord, VoteRecord, log_id, log_id_record, vote, vote_record};

#[derive(Clone, PartialEq, Message)]
struct RequestRecord {
    #[prost(message, optional, tag = "1")]
    from: Option<VoteRecord>,
    #[prost(uint64, tag = "2")]
    to: u64,
    #[prost(message, optional, tag = "3")]
    last: Option<LogIdRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct AnswerRecord {
    #[prost(uint32, tag = "1")]
    outcome: u32,
    #[prost(message, optional, tag = "2")]
    expected_vote: Option<VoteRecord>,
    #[prost(message, optional, tag = "3")]
    actual_vote: Option<VoteRecord>,
    #[prost(message, optional, tag = "4")]
    expected_last: Option<LogIdRecord>,
    #[prost(message, optional, tag = "5")]
    actual_last: Option<LogIdRecord>,
}

const TAKEN: u32 = 1;
const VOTE_CHANGED: u32 = 2;
const NOT_FLUSHED: u32 = 3;

/// Asks a node to lead after the leader of a vote.
pub(crate) fn transfer(request: &TransferLeaderRequest<TypeConfig>) -> Bytes {
    let record = RequestRecord {
        from: Some(vote_record(request.from_leader())),
        to: *request.to_node_id(),
        last: request.last_log_id().map(log_id_record),
    };
    message(Kind::Transfer, &record)
}

/// A request to lead after the leader of a vote.
pub(crate) fn read_transfer(bytes: Bytes) -> Result<TransferLeaderRequest<TypeConfig>, WireError> {
    let request: RequestRecord = record(Kind::Transfer, bytes)?;
    let from = request.from.as_ref().map(vote).filter(|vote| vote.committed);
    let from = from.ok_or(WireError::Malformed(Kind::Transfer, "it is after no leader"))?;
    Ok(TransferLeaderRequest::new(from, request.to, request.last.as_ref().map(log_id)))
}

/// Answers whether a node will try to lead.
pub(crate) fn transfer_answer(answer: &TransferLeaderResponse<TypeConfig>) -> Bytes {
    let record = match answer {
        Ok(()) => AnswerRecord { outcome: TAKEN, ..AnswerRecord::default() },
        Err(TransferLeaderError::VoteChanged { expected, actual }) => AnswerRecord {
            outcome: VOTE_CHANGED,
            expected_vote: Some(vote_record(expected)),
            actual_vote: Some(vote_record(actual)),
            ..AnswerRecord::default()
        },
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => AnswerRecord {
            outcome: NOT_FLUSHED,
            expected_last: expected.as_ref().map(log_id_record),
            actual_last: actual.as_ref().map(log_id_record),
            ..AnswerRecord::default()
        },
    };
    message(Kind::TransferAnswer, &record)
}

/// Whether a node will try to lead.
pub(crate) fn read_transfer_answer(
    bytes: Bytes,
) -> Result<TransferLeaderResponse<TypeConfig>, WireError> {
    let malformed = |what| WireError::Malformed(Kind::TransferAnswer, what);
    let answer: AnswerRecord = record(Kind::TransferAnswer, bytes)?;
    match answer.outcome {
        TAKEN => Ok(Ok(())),
        VOTE_CHANGED => match (&answer.expected_vote, &answer.actual_vote) {
            (Some(expected), Some(actual)) => {
                let (expected, actual) = (vote(expected), vote(actual));
                Ok(Err(TransferLeaderError::VoteChanged { expected, actual }))
            }
            _ => Err(malformed("a vote is missing")),
        },
        NOT_FLUSHED => {
            let expected = answer.expected_last.as_ref().map(log_id);
            let actual = answer.actual_last.as_ref().map(log_id);
            Ok(Err(TransferLeaderError::LogNotFlushed { expected, actual }))
        }
        _ => Err(malformed("its outcome is not known")),
    }
}
