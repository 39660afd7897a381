use bytes::Bytes;
use catga_core::NodeName;

use super::Change;
use crate::wire::{self, Kind, WireError};

/// What has come of a step of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stepped {
    /// The node asked does not lead.
    NotLeader,
    /// It is not done yet, and why; ask again.
    Again { why: String },
    /// Nothing is left to do.
    Done,
    /// Nobody has the name; who has one.
    NoSuchMember { members: Vec<String> },
    /// It is not done, and why.
    Refused { why: String },
}

#[derive(Clone, PartialEq, prost::Message)]
struct ChangeRecord {
    #[prost(oneof = "What", tags = "1, 2, 3")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "1")]
    Promote(String),
    #[prost(string, tag = "2")]
    Remove(String),
    #[prost(string, tag = "3")]
    Lead(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct SteppedRecord {
    #[prost(oneof = "Outcome", tags = "1, 2, 3, 4, 5")]
    outcome: Option<Outcome>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Outcome {
    #[prost(message, tag = "1")]
    NotLeader(Nothing),
    #[prost(string, tag = "2")]
    Again(String),
    #[prost(message, tag = "3")]
    Done(Nothing),
    #[prost(message, tag = "4")]
    NoSuchMember(Members),
    #[prost(string, tag = "5")]
    Refused(String),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Nothing {}

#[derive(Clone, PartialEq, prost::Message)]
struct Members {
    #[prost(string, repeated, tag = "1")]
    names: Vec<String>,
}

pub(super) fn change(change: &Change) -> Bytes {
    let what = match change {
        Change::Promote(name) => What::Promote(name.to_string()),
        Change::Remove(name) => What::Remove(name.to_string()),
        Change::Lead(name) => What::Lead(name.to_string()),
    };
    wire::message(Kind::Change, &ChangeRecord { what: Some(what) })
}

pub(super) fn read_change(message: Bytes) -> Result<Change, WireError> {
    let ChangeRecord { what } = wire::record(Kind::Change, message)?;
    match what {
        Some(What::Promote(name)) => Ok(Change::Promote(NodeName::new(name))),
        Some(What::Remove(name)) => Ok(Change::Remove(NodeName::new(name))),
        Some(What::Lead(name)) => Ok(Change::Lead(NodeName::new(name))),
        None => Err(WireError::Malformed(Kind::Change, "what is to change")),
    }
}

impl Stepped {
    pub(super) fn encode(self) -> Bytes {
        let outcome = match self {
            Self::NotLeader => Outcome::NotLeader(Nothing {}),
            Self::Again { why } => Outcome::Again(why),
            Self::Done => Outcome::Done(Nothing {}),
            Self::NoSuchMember { members } => Outcome::NoSuchMember(Members { names: members }),
            Self::Refused { why } => Outcome::Refused(why),
        };
        wire::message(Kind::ChangeAnswer, &SteppedRecord { outcome: Some(outcome) })
    }

    pub(super) fn read(message: Bytes) -> Result<Self, WireError> {
        let SteppedRecord { outcome } = wire::record(Kind::ChangeAnswer, message)?;
        match outcome {
            Some(Outcome::NotLeader(_)) => Ok(Self::NotLeader),
            Some(Outcome::Again(why)) => Ok(Self::Again { why }),
            Some(Outcome::Done(_)) => Ok(Self::Done),
            Some(Outcome::NoSuchMember(Members { names })) => {
                Ok(Self::NoSuchMember { members: names })
            }
            Some(Outcome::Refused(why)) => Ok(Self::Refused { why }),
            None => Err(WireError::Malformed(Kind::ChangeAnswer, "its outcome")),
        }
    }
}
