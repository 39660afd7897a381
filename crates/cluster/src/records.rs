//! Votes, places in the log, members and entries as bytes: on disk and on their way to peers.
//!
//! An entry is its leader's term and node id, 64-bit little-endian, and then the bytes themselves;
//! everything else is a protobuf message.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use catga_core::NodeName;
use openraft::alias::EntryOf;
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, Membership as Members};
use prost::Message;

use crate::{Entry, LogId, Membership, Node, NodeId, StoreId, TypeConfig, Vote};

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LogIdRecord {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(uint64, tag = "2")]
    node: u64,
    #[prost(uint64, tag = "3")]
    index: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct VoteRecord {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(uint64, tag = "2")]
    node: u64,
    #[prost(bool, tag = "3")]
    committed: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MembersRecord {
    #[prost(message, repeated, tag = "1")]
    configs: Vec<VotersRecord>,
    #[prost(message, repeated, tag = "2")]
    nodes: Vec<NodeRecord>,
    /// Only where it stands by itself.
    #[prost(message, optional, tag = "3")]
    at: Option<LogIdRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct VotersRecord {
    #[prost(uint64, repeated, tag = "1")]
    voters: Vec<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct NodeRecord {
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

pub(crate) fn log_id_record(id: &LogId) -> LogIdRecord {
    LogIdRecord { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
}

pub(crate) fn log_id(record: &LogIdRecord) -> LogId {
    id_of(record.term, record.node, record.index)
}

pub(crate) fn id_of(term: u64, node: NodeId, index: u64) -> LogId {
    let leader = openraft::alias::LeaderIdOf::<TypeConfig>::new(term, node);
    LogId::new(leader.to_committed(), index)
}

pub(crate) fn vote_record(vote: &Vote) -> VoteRecord {
    let leader = &vote.leader_id;
    VoteRecord { term: leader.term, node: leader.node_id, committed: vote.committed }
}

pub(crate) fn vote(record: &VoteRecord) -> Vote {
    match record.committed {
        true => Vote::new_committed(record.term, record.node),
        false => Vote::new(record.term, record.node),
    }
}

pub(crate) fn members_record(members: &Members<NodeId, Node>) -> MembersRecord {
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

pub(crate) fn members(record: &MembersRecord) -> Option<Members<NodeId, Node>> {
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

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Blank,
    Normal,
    Members,
}

/// What stands before the bytes of an entry: its leader's term and node id.
pub(crate) const ENTRY_HEAD: usize = 16;

/// What an entry is, what stands before its bytes, and the bytes.
pub(crate) fn entry_record(entry: &EntryOf<TypeConfig>) -> (EntryKind, [u8; ENTRY_HEAD], Bytes) {
    let mut head = [0; ENTRY_HEAD];
    head[..8].copy_from_slice(&entry.log_id.leader_id.term.to_le_bytes());
    head[8..].copy_from_slice(&entry.log_id.leader_id.node_id.to_le_bytes());
    match &entry.payload {
        EntryPayload::Blank => (EntryKind::Blank, head, Bytes::new()),
        EntryPayload::Normal(bytes) => (EntryKind::Normal, head, bytes.0.clone()),
        EntryPayload::Membership(members) => {
            (EntryKind::Members, head, members_record(members).encode_to_vec().into())
        }
    }
}

/// The entry at `index` of a leader's `term` and `node`; none if `bytes` is not one that this
/// build reads.
pub(crate) fn entry(
    kind: EntryKind,
    (term, node): (u64, NodeId),
    index: u64,
    bytes: Bytes,
) -> Option<EntryOf<TypeConfig>> {
    let payload = match kind {
        EntryKind::Blank if bytes.is_empty() => EntryPayload::Blank,
        EntryKind::Blank => return None,
        EntryKind::Normal => EntryPayload::Normal(Entry(bytes)),
        EntryKind::Members => {
            EntryPayload::Membership(members(&MembersRecord::decode(bytes).ok()?)?)
        }
    };
    Some(EntryOf::<TypeConfig> { log_id: id_of(term, node, index), payload })
}

/// Members, with the entry that says so.
pub(crate) fn stored_members_record(given: &Membership) -> MembersRecord {
    let mut record = members_record(given.membership());
    record.at = given.log_id().as_ref().map(log_id_record);
    record
}

/// Members, with the entry that says so; none if no cluster can have them.
pub(crate) fn stored_members(record: &MembersRecord) -> Option<Membership> {
    Some(Membership::new(record.at.as_ref().map(log_id), members(record)?))
}
