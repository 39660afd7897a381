use bytes::Bytes;

use crate::records::{LogIdRecord, log_id, log_id_record};
use crate::wire::{self, Kind, WireError};
use crate::{LogId, Peer};

/// Who joins, or says that it is there.
#[derive(Clone, Debug)]
pub(super) struct Joiner {
    pub(super) peer: Peer,
    pub(super) says: Saying,
}

/// What it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Saying {
    /// Where it is reached.
    pub(super) address: String,
    /// Which life of the journal it has a part in; 0 from a build that did not say so.
    pub(super) incarnation: u64,
    /// It has been a member, or its log says so.
    pub(super) belonged: bool,
    /// The entry by which its log says so; none if it knows.
    pub(super) by: Option<LogId>,
    /// The newest engine version that it goes along with; 0 from a build that did not say so.
    pub(super) version: u32,
    /// Its disk has no room for entries.
    pub(super) full: bool,
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
    /// It was a member, and was taken out.
    Removed,
    /// Its data is of another life of the journal.
    Foreign,
    /// The journal needs version `needs` of the engine's rules, which it does not know.
    TooOld { needs: u32 },
    /// Another member is reached where it says that it is.
    AddressTaken { by: String },
}

#[derive(Clone, PartialEq, prost::Message)]
struct JoinRecord {
    #[prost(string, tag = "1")]
    address: String,
    #[prost(uint64, tag = "2")]
    incarnation: u64,
    #[prost(bool, tag = "3")]
    belonged: bool,
    #[prost(uint32, tag = "4")]
    version: u32,
    #[prost(bool, tag = "5")]
    full: bool,
    #[prost(message, optional, tag = "6")]
    by: Option<LogIdRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AnswerRecord {
    #[prost(oneof = "Outcome", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10")]
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
    #[prost(message, tag = "7")]
    Removed(Nothing),
    #[prost(message, tag = "8")]
    Foreign(Nothing),
    #[prost(uint32, tag = "9")]
    TooOld(u32),
    #[prost(string, tag = "10")]
    AddressTaken(String),
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

/// Asks to be a member.
pub(super) fn join(saying: &Saying) -> Bytes {
    let Saying { address, incarnation, belonged, by, version, full } = saying.clone();
    let by = by.as_ref().map(log_id_record);
    wire::message(Kind::Join, &JoinRecord { address, incarnation, belonged, version, full, by })
}

/// What the one who joins says of itself.
pub(super) fn read_join(message: Bytes) -> Result<Saying, WireError> {
    let record: JoinRecord = wire::record(Kind::Join, message)?;
    let JoinRecord { address, incarnation, belonged, version, full, by } = record;
    if address.is_empty() || address.chars().any(char::is_control) {
        return Err(WireError::Malformed(Kind::Join, "its address"));
    }
    let by = by.as_ref().map(log_id);
    Ok(Saying { address, incarnation, belonged, by, version, full })
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
            Self::Removed => Outcome::Removed(Nothing {}),
            Self::Foreign => Outcome::Foreign(Nothing {}),
            Self::TooOld { needs } => Outcome::TooOld(needs),
            Self::AddressTaken { by } => Outcome::AddressTaken(by),
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
            Some(Outcome::Removed(_)) => Ok(Self::Removed),
            Some(Outcome::Foreign(_)) => Ok(Self::Foreign),
            Some(Outcome::TooOld(needs)) => Ok(Self::TooOld { needs }),
            Some(Outcome::AddressTaken(by)) => Ok(Self::AddressTaken { by }),
            None => Err(WireError::Malformed(Kind::JoinAnswer, "its outcome")),
        }
    }
}
