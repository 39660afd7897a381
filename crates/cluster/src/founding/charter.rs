use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use catga_core::NodeName;
use catga_host::Files;
use catga_journal::segment::{FileKind, SegmentError, read_whole, write_whole};
use prost::Message;

use crate::{Node, NodeId, Peer, StoreId};

/// The layout of the file.
const LAYOUT: u64 = 1;

/// With whom a cluster begins, as every one of them keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charter {
    /// The cluster's id.
    pub cluster: String,
    /// Which life of the journal it is, the same on all nodes.
    pub incarnation: u64,
    /// By name.
    pub members: BTreeMap<NodeName, Founding>,
}

/// One of those with whom a cluster begins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Founding {
    /// Its number.
    pub id: NodeId,
    /// Its data directory.
    pub store: StoreId,
    /// Where it is reached.
    pub address: String,
    /// The newest engine version that it went along with then.
    pub version: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CharterRecord {
    #[prost(string, tag = "1")]
    cluster: String,
    #[prost(uint64, tag = "2")]
    incarnation: u64,
    #[prost(message, repeated, tag = "3")]
    members: Vec<FoundingRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FoundingRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint64, tag = "2")]
    id: u64,
    #[prost(bytes = "bytes", tag = "3")]
    store: Bytes,
    #[prost(string, tag = "4")]
    address: String,
    #[prost(uint32, tag = "5")]
    version: u32,
}

impl Charter {
    /// Who makes the cluster: the one with the lowest name.
    pub(crate) fn first(&self) -> Option<&NodeName> {
        self.members.keys().next()
    }

    /// True if `node` is one of those with whom the cluster began, with the data that it had then. A
    /// node of the same name with other data is another one, which came later.
    pub(crate) fn is_of(&self, node: &Peer) -> bool {
        let founding = self.members.get(&node.name);
        founding.is_some_and(|one| (one.id, one.store) == (node.id, node.store))
    }

    /// True if it falls to `node` to make the cluster.
    pub(crate) fn is_made_by(&self, node: &Peer) -> bool {
        self.first() == Some(&node.name) && self.is_of(node)
    }

    /// The charter of a cluster of one, which this node founded without being told to.
    pub(crate) fn of_one(
        cluster: &str,
        incarnation: u64,
        me: &Peer,
        address: &str,
        version: u32,
    ) -> Self {
        let address = address.to_owned();
        let founding = Founding { id: me.id, store: me.store, address, version };
        let members = BTreeMap::from([(me.name.clone(), founding)]);
        Self { cluster: cluster.to_owned(), incarnation, members }
    }

    /// The members as Raft knows them.
    pub(crate) fn nodes(&self) -> BTreeMap<NodeId, Node> {
        let node = |(name, member): (&NodeName, &Founding)| {
            let node = Node::new(name.clone(), member.address.clone(), member.store);
            (member.id, node.with_version(member.version))
        };
        self.members.iter().map(node).collect()
    }

    /// The charter in the file at `path`; none if there is no such file.
    pub(crate) fn read(files: &dyn Files, path: &Path) -> Result<Option<Self>, SegmentError> {
        let Some((layout, payload)) = read_whole(files, path, FileKind::Charter)? else {
            return Ok(None);
        };
        if layout != LAYOUT {
            let found = u32::try_from(layout).unwrap_or(u32::MAX);
            return Err(SegmentError::Format { path: path.to_owned(), found });
        }
        let damaged = || SegmentError::Damaged {
            path: path.to_owned(),
            at: 0,
            what: "it does not hold a charter",
        };
        let record = CharterRecord::decode(payload).map_err(|_| damaged())?;
        Self::of(&record).map(Some).ok_or_else(damaged)
    }

    /// Writes it to the file at `path`; durable when this returns.
    pub(super) async fn write(&self, files: &dyn Files, path: &Path) -> Result<(), SegmentError> {
        let payload = self.record().encode_to_vec();
        write_whole(files, path, FileKind::Charter, LAYOUT, &payload).await
    }

    pub(super) fn record(&self) -> CharterRecord {
        let member = |(name, member): (&NodeName, &Founding)| FoundingRecord {
            name: name.as_str().to_owned(),
            id: member.id,
            store: Bytes::copy_from_slice(&member.store.0.to_le_bytes()),
            address: member.address.clone(),
            version: member.version,
        };
        CharterRecord {
            cluster: self.cluster.clone(),
            incarnation: self.incarnation,
            members: self.members.iter().map(member).collect(),
        }
    }

    /// None if the record is none of a charter.
    pub(super) fn of(record: &CharterRecord) -> Option<Self> {
        let mut members = BTreeMap::new();
        for member in &record.members {
            let store = StoreId(u128::from_le_bytes(member.store.as_ref().try_into().ok()?));
            let (id, address, version) = (member.id, member.address.clone(), member.version);
            let founding = Founding { id, store, address, version };
            let name = NodeName::new(member.name.clone());
            if members.insert(name, founding).is_some() {
                return None;
            }
        }
        let (cluster, incarnation) = (record.cluster.clone(), record.incarnation);
        (!members.is_empty()).then_some(Self { cluster, incarnation, members })
    }
}
