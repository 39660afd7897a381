//! A backup becomes the data directory of a new node.
//!
//! The node is a cluster of one, as one is that was started alone, and others can join it. It has a
//! number, a store and an incarnation of its own: no member of the cluster that the backup is of
//! knows it, and no position of that cluster's is one of this one's. Its log begins behind the
//! backup, with nothing in it; so whoever joins begins with a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catga_core::{Fault, FaultCode, NodeName};
use catga_host::Host;
use catga_journal::{BackupError, LogIndex, LogSnapshot, WholeBackup};
use openraft::storage::RaftLogStorage;
use openraft::{Membership as Members, SnapshotMeta};

use crate::data_dir::Unfinished;
use crate::records::id_of;
use crate::{
    DataDir, DataDirError, Identity, LogStorage, Membership, Node, Snapshot, SnapshotError,
    SnapshotFiles, SnapshotStore, StorageError, StorageOptions, Vote,
};

/// Why a backup was not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Something is wrong with the backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The directory into which it was to be restored cannot be used.
    #[error(transparent)]
    Directory(#[from] DataDirError),
    /// The new node's log cannot be written.
    #[error(transparent)]
    Log(#[from] StorageError),
    /// The place where it begins cannot be written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The machine refuses.
    #[error("{}: {source}", dir.display())]
    Machine {
        /// Where.
        dir: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Makes of `backup` the data directory `dir` of a new node called `name`. Durable when it returns.
///
/// Belongs on a thread that may block.
///
/// # Errors
/// When the directory is not empty, and nothing was changed; or when the machine refuses, or the
/// backup is not any more as it was. What was restored so far is of no use then, and a node that is
/// started on it says so.
///
/// # Cancel safety
/// Dropping the future leaves a directory that no node starts on.
pub async fn restore(
    host: &Arc<dyn Host>,
    backup: &WholeBackup,
    dir: &Path,
    name: &NodeName,
) -> Result<Identity, RestoreError> {
    let unfinished = Unfinished::begin(&**host, dir, name).await?;
    let data = unfinished.data();
    let (files, incarnation) = (data.files(), data.identity().incarnation);
    let snapshot = backup.restore(&files, &data.journal(), incarnation).await?;
    begin_log(host, data, snapshot).await?;
    Ok(unfinished.complete().await?)
}

/// Writes the log of a cluster of one whose state is `snapshot`, and which has no entries yet.
async fn begin_log(
    host: &Arc<dyn Host>,
    data: &DataDir,
    snapshot: LogSnapshot,
) -> Result<(), RestoreError> {
    let machine = |source| RestoreError::Machine { dir: data.path().to_owned(), source };
    let Identity { id, name, store, .. } = data.identity().clone();
    let LogIndex { term, index } = snapshot.upto.unwrap_or_default();
    let last = id_of(term, id, index);
    let node = BTreeMap::from([(id, Node::new(name, "", store))]);
    let members = Members::new(vec![BTreeSet::from([id])], node);
    let members = members.map_err(|error| machine(io::Error::other(error.to_string())))?;
    let last_membership = Membership::new(Some(last), members);
    let meta = SnapshotMeta { last_log_id: Some(last), last_membership };
    let (files, dir) = (data.files(), data.snapshots());
    let snapshots = SnapshotFiles::open(host, files, dir, snapshot.upto, None)?;
    snapshots.save(Snapshot { meta, snapshot }).await.map_err(machine)?;
    let options = StorageOptions::default();
    let mut log = LogStorage::open(host, data.files(), &data.log(), options).await?;
    let written = async {
        // It led when the entries were written that are not there any more.
        log.save_vote(&Vote::new(term, id)).await?;
        log.purge(last).await?;
        log.flushed().await
    };
    let written = written.await;
    log.shutdown().await;
    written.map_err(machine)
}

impl From<RestoreError> for Fault {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Directory(error) => error.into(),
            RestoreError::Log(error) => error.into(),
            RestoreError::Snapshot(error) => error.into(),
            error => Self::new(FaultCode::Unreadable, error.to_string()),
        }
    }
}
