//! What the frames of a log hold.

use bytes::{Buf, Bytes};
use catga_journal::segment::{Frame, FrameKind};
use openraft::alias::EntryOf;
use prost::Message;

use crate::records::{
    EntryKind, LogIdRecord, MembersRecord, VoteRecord, entry, entry_record, log_id, log_id_record,
    stored_members, stored_members_record, vote, vote_record,
};
use crate::{LogId, Membership, TypeConfig, Vote};

const fn owner(kind: u32) -> FrameKind {
    FrameKind(FrameKind::OWNER.0 + kind)
}

pub(super) const BLANK: FrameKind = owner(0);
pub(super) const NORMAL: FrameKind = owner(1);
pub(super) const MEMBERS: FrameKind = owner(2);
pub(super) const VOTE: FrameKind = owner(3);
/// Entries above its position, less one, are gone; position 0 leaves none.
pub(super) const TRUNCATE: FrameKind = owner(4);
/// The first record of each segment: what the segments before it said last.
pub(super) const STATE: FrameKind = owner(5);

/// What is known besides entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) vote: Option<Vote>,
    pub(super) purged: Option<LogId>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StateRecord {
    #[prost(message, optional, tag = "1")]
    vote: Option<VoteRecord>,
    #[prost(message, optional, tag = "2")]
    purged: Option<LogIdRecord>,
}

/// What a snapshot belongs to.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SnapshotRecord {
    #[prost(message, optional, tag = "1")]
    last: Option<LogIdRecord>,
    #[prost(message, optional, tag = "2")]
    members: Option<MembersRecord>,
    #[prost(uint64, tag = "3")]
    pub(super) upto_term: u64,
    #[prost(uint64, tag = "4")]
    pub(super) upto_index: u64,
    #[prost(bool, tag = "5")]
    pub(super) has_upto: bool,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) data: Bytes,
}

impl SnapshotRecord {
    pub(super) fn new(last: Option<LogId>, members: &Membership) -> Self {
        let members = Some(stored_members_record(members));
        Self { last: last.as_ref().map(log_id_record), members, ..Self::default() }
    }

    pub(super) fn last(&self) -> Option<LogId> {
        self.last.as_ref().map(log_id)
    }

    pub(super) fn members(&self) -> Option<Membership> {
        stored_members(self.members.as_ref()?)
    }
}

pub(super) fn encode_vote(given: &Vote) -> Vec<u8> {
    vote_record(given).encode_to_vec()
}

pub(super) fn encode_state(state: &State) -> Vec<u8> {
    let (vote, purged) = (state.vote.as_ref(), state.purged.as_ref());
    let record = StateRecord { vote: vote.map(vote_record), purged: purged.map(log_id_record) };
    record.encode_to_vec()
}

pub(super) fn decode_vote(frame: &Frame) -> Option<Vote> {
    Some(vote(&VoteRecord::decode(frame.payload.clone()).ok()?))
}

pub(super) fn decode_state(frame: &Frame) -> Option<State> {
    let record = StateRecord::decode(frame.payload.clone()).ok()?;
    let (vote, purged) = (record.vote.as_ref().map(vote), record.purged.as_ref().map(log_id));
    Some(State { vote, purged })
}

/// The kind of an entry's frame, what stands before its bytes, and the bytes.
pub(super) fn encode_entry(entry: &EntryOf<TypeConfig>) -> (FrameKind, [u8; 16], Bytes) {
    let (kind, head, bytes) = entry_record(entry);
    let kind = match kind {
        EntryKind::Blank => BLANK,
        EntryKind::Normal => NORMAL,
        EntryKind::Members => MEMBERS,
    };
    (kind, head, bytes)
}

/// None if the frame is no entry, or not one that this build reads.
pub(super) fn decode_entry(frame: &Frame) -> Option<EntryOf<TypeConfig>> {
    let mut payload = frame.payload.clone();
    let leader = (payload.try_get_u64_le().ok()?, payload.try_get_u64_le().ok()?);
    let kind = match frame.kind {
        BLANK => EntryKind::Blank,
        NORMAL => EntryKind::Normal,
        MEMBERS => EntryKind::Members,
        _ => return None,
    };
    entry(kind, leader, frame.position, payload)
}
