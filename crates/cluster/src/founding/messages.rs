use bytes::Bytes;

use super::charter::{Charter, CharterRecord};
use crate::wire::{self, Kind, WireError};

/// What a node says of itself, and asks others to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Introduction {
    /// The members that it was given, in order.
    pub(super) members: Vec<String>,
    /// What it has, if it is not new.
    pub(super) charter: Option<Charter>,
    /// The newest engine version that it goes along with; 0 from a build that did not say so.
    pub(super) version: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct IntroductionRecord {
    #[prost(string, repeated, tag = "1")]
    members: Vec<String>,
    #[prost(message, optional, tag = "2")]
    charter: Option<CharterRecord>,
    #[prost(uint32, tag = "3")]
    version: u32,
}

impl Introduction {
    pub(super) fn encode(&self) -> Bytes {
        let charter = self.charter.as_ref().map(Charter::record);
        let (members, version) = (self.members.clone(), self.version);
        let record = IntroductionRecord { members, charter, version };
        wire::message(Kind::Introduction, &record)
    }

    pub(super) fn read(message: Bytes) -> Result<Self, WireError> {
        let record: IntroductionRecord = wire::record(Kind::Introduction, message)?;
        let IntroductionRecord { members, charter, version } = record;
        let charter = charter.map(|record| {
            let none = WireError::Malformed(Kind::Introduction, "its charter");
            Charter::of(&record).ok_or(none)
        });
        Ok(Self { members, charter: charter.transpose()?, version })
    }
}

/// Asks a node to write a charter.
pub(super) fn adopt(charter: &Charter) -> Bytes {
    wire::message(Kind::Adopt, &charter.record())
}

pub(super) fn read_adopt(message: Bytes) -> Result<Charter, WireError> {
    let record: CharterRecord = wire::record(Kind::Adopt, message)?;
    Charter::of(&record).ok_or(WireError::Malformed(Kind::Adopt, "its charter"))
}

/// It is written.
pub(super) fn adopted() -> Bytes {
    wire::message(Kind::Adopted, &Empty {})
}

pub(super) fn read_adopted(message: Bytes) -> Result<(), WireError> {
    wire::record(Kind::Adopted, message).map(|Empty {}| ())
}

#[derive(Clone, PartialEq, prost::Message)]
struct Empty {}
