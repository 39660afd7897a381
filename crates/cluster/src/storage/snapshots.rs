use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use catga_core::{Fault, FaultCode};
use catga_host::{BoxFuture, Files, Host};
use catga_journal::segment::{FileKind, SegmentError, read_whole, remove_unfinished, write_whole};
use catga_journal::{FileReport, LogIndex, LogSnapshot};
use openraft::SnapshotMeta;
use prost::Message;
use tokio::sync::oneshot;

use super::ROOM_WAIT;
use super::records::SnapshotRecord;
use crate::{LogId, Snapshot, SnapshotStore};

/// How many snapshots are kept: the newest, and the one before it to fall back on.
const KEPT: usize = 2;

/// How the names of the files end.
const EXTENSION: &str = ".snapshot";

/// The newest snapshots of a node whose applier keeps its own state: each a small file that says
/// up to where, and who was a member then.
#[derive(Clone, Debug)]
pub struct SnapshotFiles(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Arc<dyn Host>,
    files: Arc<dyn Files>,
    dir: PathBuf,
    newest: Mutex<Option<Snapshot>>,
    /// One is saved at a time.
    turn: tokio::sync::Mutex<()>,
    /// Whoever waits for room gives up.
    ending: AtomicBool,
}

/// Why there are no snapshots to start from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A file or the directory cannot be read.
    #[error(transparent)]
    File(#[from] SegmentError),
    /// The applier holds less than the oldest snapshot from which the log goes on.
    #[error(
        "the oldest snapshot in {} from which the log goes on is of entry {}, and no checkpoint of the \
         journal beside it that goes so far can be read (`verify` says which is damaged); nothing was \
         changed. Restore the data directory from a backup, or replace the node",
        dir.display(),
        upto.index
    )]
    Ahead {
        /// Where the snapshots are.
        dir: PathBuf,
        /// What that one holds.
        upto: LogIndex,
    },
    /// The log goes on later than any snapshot.
    #[error(
        "the log goes on behind entry {purged}, and no snapshot in {} goes so far; nothing was \
         changed. Restore the data directory from a backup, or replace the node",
        dir.display()
    )]
    Missing {
        /// Where the snapshots are.
        dir: PathBuf,
        /// The last entry that the log has not any more.
        purged: u64,
    },
}

impl From<SnapshotError> for Fault {
    fn from(error: SnapshotError) -> Self {
        Self::new(FaultCode::Unreadable, error.to_string())
    }
}

impl SnapshotFiles {
    /// The snapshots in `dir` for an applier that `holds` the state up to some entry: the newest
    /// that it holds all of. Where its newest checkpoint cannot be read, that is an older one, from
    /// which the log is applied again; so it must hold all that the log has `purged`.
    ///
    /// # Errors
    /// See [`SnapshotError`].
    pub fn open(
        host: &Arc<dyn Host>,
        files: Arc<dyn Files>,
        dir: PathBuf,
        holds: Option<LogIndex>,
        purged: Option<LogId>,
    ) -> Result<Self, SnapshotError> {
        remove_unfinished(&*files, &dir)?;
        let mut newest = None;
        let mut refused = None;
        for name in names(&*files, &dir)?.iter().rev() {
            match read(&*files, &dir.join(name)) {
                // Nor does an older one.
                Ok(found) if found.meta.last_log_id < purged => break,
                Ok(found) if found.snapshot.upto <= holds => {
                    newest = Some(found);
                    break;
                }
                Ok(ahead) => {
                    let upto = ahead.snapshot.upto.unwrap_or_default();
                    tracing::warn!(name, ?upto, ?holds, "a snapshot is passed over");
                    refused = Some(SnapshotError::Ahead { dir: dir.clone(), upto });
                }
                Err(error) => {
                    tracing::warn!(%error, "a snapshot is passed over");
                    refused = Some(error.into());
                }
            }
        }
        if newest.is_none() {
            let missing = purged.map(|purged| purged.index);
            let missing = missing.map(|purged| SnapshotError::Missing { dir: dir.clone(), purged });
            refused.or(missing).map_or(Ok(()), Err)?;
        }
        let host = Arc::clone(host);
        let (newest, turn) = (Mutex::new(newest), tokio::sync::Mutex::default());
        let ending = AtomicBool::new(false);
        Ok(Self(Arc::new(Inner { host, files, dir, newest, turn, ending })))
    }

    /// Has a snapshot that waits for room fail instead, soon, and those that come later.
    pub fn stop_waiting(&self) {
        self.0.ending.store(true, Ordering::Relaxed);
    }
}

impl Inner {
    fn newest(&self) -> Option<Snapshot> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn write(&self, snapshot: Snapshot) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        let stored = self.newest();
        if stored.is_some_and(|stored| stored.meta.last_log_id >= snapshot.meta.last_log_id) {
            return Ok(());
        }
        let meta = &snapshot.meta;
        let mut record = SnapshotRecord::new(meta.last_log_id, &meta.last_membership);
        let upto = snapshot.snapshot.upto.unwrap_or_default();
        (record.upto_term, record.upto_index) = (upto.term, upto.index);
        record.has_upto = snapshot.snapshot.upto.is_some();
        record.data = snapshot.snapshot.data.clone();
        let index = meta.last_log_id.as_ref().map_or(0, |last| last.index);
        let path = self.dir.join(format!("{index:016x}{EXTENSION}"));
        let bytes = record.encode_to_vec();
        loop {
            match write_whole(&*self.files, &path, FileKind::Snapshot, index, &bytes).await {
                // The log keeps what it would stand for, and commands are refused meanwhile.
                Err(error) if error.is_full() && !self.ending.load(Ordering::Relaxed) => {
                    tracing::warn!(%error, "no room for a snapshot; waiting");
                    self.host.sleep(ROOM_WAIT).await;
                }
                written => break written?,
            }
        }
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
        let names = names(&*self.files, &self.dir)?;
        let (old, _) = names.split_at(names.len().saturating_sub(KEPT));
        old.iter().try_for_each(|name| self.files.remove(&self.dir.join(name)))
    }
}

/// The names of all snapshots, oldest first.
fn names(files: &dyn Files, dir: &std::path::Path) -> Result<Vec<String>, SegmentError> {
    let names = files.list(dir);
    let mut names = names.map_err(|source| SegmentError::Io { path: dir.to_owned(), source })?;
    names.retain(|name| name.ends_with(EXTENSION));
    Ok(names)
}

fn read(files: &dyn Files, path: &std::path::Path) -> Result<Snapshot, SegmentError> {
    let damaged = |what| SegmentError::Damaged { path: path.to_owned(), at: 0, what };
    let found = read_whole(files, path, FileKind::Snapshot)?;
    let (_, payload) = found.ok_or_else(|| damaged("it vanished"))?;
    let unreadable = || damaged("it does not hold a snapshot");
    let record = SnapshotRecord::decode(payload).map_err(|_| unreadable())?;
    let last_membership = record.members().ok_or_else(unreadable)?;
    let upto = LogIndex { term: record.upto_term, index: record.upto_index };
    Ok(Snapshot {
        meta: SnapshotMeta { last_log_id: record.last(), last_membership },
        snapshot: LogSnapshot { upto: record.has_upto.then_some(upto), data: record.data },
    })
}

/// Looks at every snapshot in `dir` and changes nothing.
pub(crate) fn verify_snapshots(files: &dyn Files, dir: &std::path::Path) -> Vec<FileReport> {
    let names = match names(files, dir) {
        Ok(names) => names,
        Err(error) => return vec![FileReport::new(dir.to_owned(), Err(error))],
    };
    let report = |name: &String| {
        let path = dir.join(name);
        let found = read(files, &path).map(|found| {
            let (upto, members) = (found.snapshot.upto, &found.meta.last_membership);
            let voters = members.membership().voter_ids().count();
            format!("entry {}, voters: {voters}", upto.map_or(0, |upto| upto.index))
        });
        FileReport::new(path, found)
    };
    names.iter().map(report).collect()
}

impl SnapshotStore for SnapshotFiles {
    fn save(&self, snapshot: Snapshot) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let (done, saved) = oneshot::channel();
            let inner = Arc::clone(&self.0);
            let write = async move { drop(done.send(inner.write(snapshot).await)) };
            // It waits for the disk, which Raft must not.
            drop(self.0.host.spawn_thread("snapshot", Box::pin(write)));
            saved.await.map_err(|_| io::Error::other("the snapshot was given up"))?
        })
    }

    fn load(&self) -> BoxFuture<'_, io::Result<Option<Snapshot>>> {
        Box::pin(async { Ok(self.0.newest()) })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::Bytes;

    use super::*;
    use crate::Membership;
    use crate::records::id_of;

    const DIR: &str = "/snapshots";

    fn at(index: u64) -> LogIndex {
        LogIndex { term: 1, index }
    }

    #[test]
    fn a_log_goes_on_from_no_snapshot_that_lacks_what_it_has_not_any_more() {
        catga_testkit::run(1, async |host| {
            let files = host.disk().clone();
            let host = host.clone() as Arc<dyn Host>;
            files.create_dir(Path::new(DIR)).await.expect("a directory");
            let open = |holds, purged: Option<u64>| {
                let (files, purged) = (Arc::new(files.clone()), purged.map(|at| id_of(1, 1, at)));
                SnapshotFiles::open(&host, files, DIR.into(), Some(at(holds)), purged)
            };
            let store = open(0, None).expect("an empty directory");
            for index in [24, 86] {
                let last_log_id = Some(id_of(1, 1, index));
                let meta = SnapshotMeta { last_log_id, last_membership: Membership::default() };
                let snapshot = LogSnapshot { upto: Some(at(index)), data: Bytes::new() };
                store.save(Snapshot { meta, snapshot }).await.expect("saved");
            }
            let opened = |holds, purged| {
                let snapshots = open(holds, purged).map_err(|error| error.to_string())?;
                Ok(snapshots.0.newest().and_then(|newest| newest.snapshot.upto).unwrap_or_default())
            };
            assert_eq!(opened(90, Some(86)), Ok(at(86)));
            assert_eq!(opened(30, Some(24)), Ok(at(24)), "from there it is applied again");
            let refused =
                |holds, purged| opened(holds, purged).expect_err("what lies between is gone");
            let ahead: String = refused(30, Some(86));
            assert!(ahead.contains("is of entry 86") && ahead.contains(DIR), "{ahead}");
            let missing = refused(90, Some(87));
            assert!(missing.contains("behind entry 87") && missing.contains(DIR), "{missing}");
        });
    }
}
