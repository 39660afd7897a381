//! What the frames of a log hold.
//!
//! An entry is its leader's term and node id, 64-bit little-endian, and then the bytes themselves;
//! everything else is a protobuf message.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, Bytes};
use catga_core::NodeName;
use catga_journal::segment::{Frame, FrameKind};
use openraft::alias::EntryOf;
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, Membership as Members};
use prost::Message;

use crate::{Entry, LogId, Membership, Node, NodeId, StoreId, TypeConfig, Vote};

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
struct LogIdRecord {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(uint64, tag = "2")]
    node: u64,
    #[prost(uint64, tag = "3")]
    index: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct VoteRecord {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(uint64, tag = "2")]
    node: u64,
    #[prost(bool, tag = "3")]
    committed: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StateRecord {
    #[prost(message, optional, tag = "1")]
    vote: Option<VoteRecord>,
    #[prost(message, optional, tag = "2")]
    purged: Option<LogIdRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MembersRecord {
    #[prost(message, repeated, tag = "1")]
    configs: Vec<VotersRecord>,
    #[prost(message, repeated, tag = "2")]
    nodes: Vec<NodeRecord>,
    /// Only where it stands by itself.
    #[prost(message, optional, tag = "3")]
    at: Option<LogIdRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct VotersRecord {
    #[prost(uint64, repeated, tag = "1")]
    voters: Vec<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct NodeRecord {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    address: String,
    #[prost(bytes = "bytes", tag = "4")]
    store: Bytes,
    #[prost(uint32, tag = "5")]
    version: u32,
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
        let mut record = members_record(members.membership());
        record.at = members.log_id().as_ref().map(log_id_record);
        Self { last: last.as_ref().map(log_id_record), members: Some(record), ..Self::default() }
    }

    pub(super) fn last(&self) -> Option<LogId> {
        self.last.as_ref().map(log_id)
    }

    pub(super) fn members(&self) -> Option<Membership> {
        let record = self.members.as_ref()?;
        Some(Membership::new(record.at.as_ref().map(log_id), members(record)?))
    }
}

fn log_id_record(id: &LogId) -> LogIdRecord {
    LogIdRecord { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
}

fn log_id(record: &LogIdRecord) -> LogId {
    id_of(record.term, record.node, record.index)
}

fn id_of(term: u64, node: NodeId, index: u64) -> LogId {
    let leader = openraft::alias::LeaderIdOf::<TypeConfig>::new(term, node);
    LogId::new(leader.to_committed(), index)
}

fn vote_record(vote: &Vote) -> VoteRecord {
    let leader = &vote.leader_id;
    VoteRecord { term: leader.term, node: leader.node_id, committed: vote.committed }
}

fn vote(record: &VoteRecord) -> Vote {
    match record.committed {
        true => Vote::new_committed(record.term, record.node),
        false => Vote::new(record.term, record.node),
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
    let mut head = [0; 16];
    head[..8].copy_from_slice(&entry.log_id.leader_id.term.to_le_bytes());
    head[8..].copy_from_slice(&entry.log_id.leader_id.node_id.to_le_bytes());
    match &entry.payload {
        EntryPayload::Blank => (BLANK, head, Bytes::new()),
        EntryPayload::Normal(bytes) => (NORMAL, head, bytes.0.clone()),
        EntryPayload::Membership(members) => {
            (MEMBERS, head, members_record(members).encode_to_vec().into())
        }
    }
}

/// None if the frame is no entry, or not one that this build reads.
pub(super) fn decode_entry(frame: &Frame) -> Option<EntryOf<TypeConfig>> {
    let mut payload = frame.payload.clone();
    let (term, node) = (payload.try_get_u64_le().ok()?, payload.try_get_u64_le().ok()?);
    let payload = match frame.kind {
        BLANK if payload.is_empty() => EntryPayload::Blank,
        NORMAL => EntryPayload::Normal(Entry(payload)),
        MEMBERS => EntryPayload::Membership(members(&MembersRecord::decode(payload).ok()?)?),
        _ => return None,
    };
    Some(EntryOf::<TypeConfig> { log_id: id_of(term, node, frame.position), payload })
}

fn members_record(members: &Members<NodeId, Node>) -> MembersRecord {
    let voters = |ids: &BTreeSet<NodeId>| VotersRecord { voters: ids.iter().copied().collect() };
    let node = |(id, node): (&NodeId, &Node)| NodeRecord {
        id: *id,
        name: node.name.as_str().to_owned(),
        address: node.address.clone(),
        store: Bytes::copy_from_slice(&node.store.0.to_le_bytes()),
        version: node.version,
    };
    MembersRecord {
        configs: members.get_joint_config().iter().map(voters).collect(),
        nodes: members.nodes().map(node).collect(),
        at: None,
    }
}

fn members(record: &MembersRecord) -> Option<Members<NodeId, Node>> {
    let configs = record.configs.iter().map(|config| config.voters.iter().copied().collect());
    let mut nodes = BTreeMap::new();
    for node in &record.nodes {
        let store = u128::from_le_bytes(node.store.as_ref().try_into().ok()?);
        let name = NodeName::new(node.name.clone());
        let known = Node::new(name, node.address.clone(), StoreId(store));
        nodes.insert(node.id, known.with_version(node.version));
    }
    let configs: Vec<BTreeSet<NodeId>> = configs.collect();
    if configs.is_empty() && nodes.is_empty() {
        return Some(Members::default());
    }
    Members::new(configs, nodes).ok()
}
