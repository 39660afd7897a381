use bytes::Bytes;

use crate::Peer;
use crate::wire::{self, Kind, WireError};

/// Who joins.
#[derive(Clone, Debug)]
pub(super) struct Joiner {
    pub(super) peer: Peer,
    /// Where it is reached.
    pub(super) address: String,
}

/// What has come of a request to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JoinAnswer {
    /// The node asked does not lead; where the leader is, if it knows.
    NotLeader { leader: String },
    /// A step was done; ask for the next.
    Step,
    /// The learner holds the log up to `has`, and the leader up to `last`.
    CatchingUp { has: u64, last: u64 },
    /// It follows, and will have no vote.
    Learner,
    /// It has a vote.
    Member,
    /// A node of this name has other data.
    LostItsData,
}

#[derive(Clone, PartialEq, prost::Message)]
struct JoinRecord {
    #[prost(string, tag = "1")]
    address: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AnswerRecord {
    #[prost(oneof = "Outcome", tags = "1, 2, 3, 4, 5, 6")]
    outcome: Option<Outcome>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Outcome {
    #[prost(string, tag = "1")]
    NotLeader(String),
    #[prost(message, tag = "2")]
    Step(Nothing),
    #[prost(message, tag = "3")]
    CatchingUp(Progress),
    #[prost(message, tag = "4")]
    Learner(Nothing),
    #[prost(message, tag = "5")]
    Member(Nothing),
    #[prost(message, tag = "6")]
    LostItsData(Nothing),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Nothing {}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Progress {
    #[prost(uint64, tag = "1")]
    has: u64,
    #[prost(uint64, tag = "2")]
    last: u64,
}

/// Asks to be a member that is reached at `address`.
pub(super) fn join(address: &str) -> Bytes {
    wire::message(Kind::Join, &JoinRecord { address: address.to_owned() })
}

/// Where the one who joins is reached.
pub(super) fn read_join(message: Bytes) -> Result<String, WireError> {
    let JoinRecord { address } = wire::record(Kind::Join, message)?;
    let is_one = !address.is_empty() && !address.chars().any(char::is_control);
    if is_one { Ok(address) } else { Err(WireError::Malformed(Kind::Join, "its address")) }
}

impl JoinAnswer {
    pub(super) fn encode(self) -> Bytes {
        let outcome = match self {
            Self::NotLeader { leader } => Outcome::NotLeader(leader),
            Self::Step => Outcome::Step(Nothing {}),
            Self::CatchingUp { has, last } => Outcome::CatchingUp(Progress { has, last }),
            Self::Learner => Outcome::Learner(Nothing {}),
            Self::Member => Outcome::Member(Nothing {}),
            Self::LostItsData => Outcome::LostItsData(Nothing {}),
        };
        wire::message(Kind::JoinAnswer, &AnswerRecord { outcome: Some(outcome) })
    }

    pub(super) fn read(message: Bytes) -> Result<Self, WireError> {
        let AnswerRecord { outcome } = wire::record(Kind::JoinAnswer, message)?;
        match outcome {
            Some(Outcome::NotLeader(leader)) => Ok(Self::NotLeader { leader }),
            Some(Outcome::Step(_)) => Ok(Self::Step),
            Some(Outcome::CatchingUp(Progress { has, last })) => Ok(Self::CatchingUp { has, last }),
            Some(Outcome::Learner(_)) => Ok(Self::Learner),
            Some(Outcome::Member(_)) => Ok(Self::Member),
            Some(Outcome::LostItsData(_)) => Ok(Self::LostItsData),
            None => Err(WireError::Malformed(Kind::JoinAnswer, "its outcome")),
        }
    }
}
