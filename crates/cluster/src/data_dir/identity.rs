use std::path::Path;

use bytes::Bytes;
use catga_core::NodeName;
use catga_host::{Files, Host};
use catga_journal::segment::{FileKind, SegmentError, read_whole, write_whole};
use prost::Message;

use crate::{NodeId, StoreId};

/// The layout of everything below the data directory. It is raised when a build cannot read what
/// an older one wrote, or the other way round.
const LAYOUT: u64 = 1;

/// Who a data directory belongs to. Minted with it, and never changed but for the log that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The node's written name.
    pub name: NodeName,
    /// Its number in Raft, which no other node has and which ends with the directory.
    pub id: NodeId,
    /// The directory itself.
    pub store: StoreId,
    /// Which life of the journal it holds.
    pub incarnation: u64,
    /// It has had a log, by which the node may have voted and acknowledged.
    pub has_log: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct IdentityRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint64, tag = "2")]
    id: u64,
    #[prost(bytes = "bytes", tag = "3")]
    store: Bytes,
    #[prost(uint64, tag = "4")]
    incarnation: u64,
    #[prost(bool, tag = "5")]
    has_log: bool,
}

impl Identity {
    /// A new one for the node called `name`.
    pub(super) fn mint(host: &dyn Host, name: &NodeName) -> Self {
        let store = u128::from(host.random()) << 64 | u128::from(host.random());
        let (id, incarnation) = (host.random(), host.random());
        Self { name: name.clone(), id, store: StoreId(store), incarnation, has_log: false }
    }

    /// The identity in the file at `path`; none if there is no such file.
    ///
    /// # Errors
    /// When it cannot be read, or another build wrote it.
    pub(crate) fn read(files: &dyn Files, path: &Path) -> Result<Option<Self>, SegmentError> {
        let Some((layout, payload)) = read_whole(files, path, FileKind::Identity)? else {
            return Ok(None);
        };
        if layout != LAYOUT {
            let found = u32::try_from(layout).unwrap_or(u32::MAX);
            return Err(SegmentError::Format { path: path.to_owned(), found });
        }
        let damaged = || SegmentError::Damaged {
            path: path.to_owned(),
            at: 0,
            what: "it does not hold an identity",
        };
        let record = IdentityRecord::decode(payload).map_err(|_| damaged())?;
        let store = record.store.as_ref().try_into().map_err(|_| damaged())?;
        Ok(Some(Self {
            name: NodeName::new(record.name),
            id: record.id,
            store: StoreId(u128::from_le_bytes(store)),
            incarnation: record.incarnation,
            has_log: record.has_log,
        }))
    }

    pub(super) async fn write(&self, files: &dyn Files, path: &Path) -> Result<(), SegmentError> {
        let record = IdentityRecord {
            name: self.name.as_str().to_owned(),
            id: self.id,
            store: Bytes::copy_from_slice(&self.store.0.to_le_bytes()),
            incarnation: self.incarnation,
            has_log: self.has_log,
        };
        let payload = record.encode_to_vec();
        write_whole(files, path, FileKind::Identity, LAYOUT, &payload).await
    }
}
