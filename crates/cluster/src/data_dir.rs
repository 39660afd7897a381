//! The directory in which a node keeps everything: whose it is, who uses it, and where in it the
//! parts stand.

mod error;
mod guarded;
mod identity;
mod inspection;
mod unfinished;

#[cfg(test)]
mod fuzz;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use catga_core::NodeName;
use catga_host::{Files, Host};

use self::guarded::Guarded;

pub use self::error::DataDirError;
pub use self::identity::Identity;
pub use self::inspection::Inspection;
pub(crate) use self::unfinished::Unfinished;

/// The file that says whose directory it is.
const IDENTITY: &str = "identity";
/// The file that is locked while a process uses the directory.
const LOCK: &str = "lock";
/// The file that says that a backup was to be restored here, and was not in full.
const RESTORING: &str = "restoring";
/// The file that says with whom the cluster began.
const CHARTER: &str = "charter";

/// The directory of one node, used by this process alone.
///
/// ```text
/// identity   whose directory it is, and that it has had a log
/// charter    with whom its cluster began, if it has peers
/// lock       held by the process that uses it
/// restoring  while a backup is restored into it
/// log/       the Raft log, in segment files
/// snapshots/ places in the log from which a restart goes on
/// journal/   checkpoints, history, indexes; what has come of another node's
/// views/     projections as they were folded
/// ```
#[derive(Clone, Debug)]
pub struct DataDir {
    dir: PathBuf,
    files: Arc<Guarded>,
    identity: Identity,
}

impl DataDir {
    /// Takes the directory `dir` for the node called `name`; makes it if there is none.
    ///
    /// # Errors
    /// See [`DataDirError`]. Nothing was changed then, unless the directory was new.
    ///
    /// # Cancel safety
    /// A directory that was being made is made by the next attempt.
    pub async fn open(
        host: &Arc<dyn Host>,
        dir: &Path,
        name: &NodeName,
    ) -> Result<Self, DataDirError> {
        let files = host.files();
        let unusable = |source| DataDirError::Unusable { dir: dir.to_owned(), source };
        files.create_dir(dir).await.map_err(unusable)?;
        let lock = files.lock(&dir.join(LOCK)).map_err(|source| match source.kind() {
            std::io::ErrorKind::WouldBlock => DataDirError::InUse { dir: dir.to_owned() },
            _ => unusable(source),
        })?;
        let files = Arc::new(Guarded::new(files, lock));
        unfinished::refuse(&*files, dir)?;
        let path = dir.join(IDENTITY);
        let identity = match Identity::read(&*files, &path)? {
            Some(identity) => identity,
            None => {
                let names = files.list(dir).map_err(unusable)?;
                // A file that a new identity was to be made of says nothing about anybody.
                let other = names.into_iter().find(|name| {
                    name != LOCK && !name.starts_with(IDENTITY) && *name != "lost+found"
                });
                if let Some(other) = other {
                    return Err(DataDirError::NoIdentity { dir: dir.to_owned(), other });
                }
                let identity = Identity::mint(&**host, name);
                identity.write(&*files, &path).await?;
                identity
            }
        };
        if identity.name != *name {
            return Err(DataDirError::OfAnother {
                dir: dir.to_owned(),
                owner: identity.name,
                name: name.clone(),
            });
        }
        let data = Self { dir: dir.to_owned(), files, identity };
        data.make_parts().await?;
        if data.identity.has_log && !holds_a_log(&*data.files, &data.log()).map_err(unusable)? {
            return Err(DataDirError::LogIsGone { dir: data.log() });
        }
        // A process that ended by itself may have left names that a loss of power takes back: those
        // of a charter, or of a snapshot for whose sake the log is dropped.
        for named in [data.dir.clone(), data.snapshots()] {
            data.files.sync_dir(&named).await.map_err(unusable)?;
        }
        Ok(data)
    }

    /// Makes the directories in it that are missing.
    async fn make_parts(&self) -> Result<(), DataDirError> {
        for part in [self.log(), self.snapshots(), self.journal(), self.views()] {
            let made = self.files.create_dir(&part).await;
            made.map_err(|source| DataDirError::Unusable { dir: self.dir.clone(), source })?;
        }
        Ok(())
    }

    /// Writes down that it has a log: without one it is of no use from now on.
    pub(crate) async fn note_log(&self) -> Result<(), DataDirError> {
        if self.identity.has_log {
            return Ok(());
        }
        let identity = Identity { has_log: true, ..self.identity.clone() };
        Ok(identity.write(&*self.files, &self.dir.join(IDENTITY)).await?)
    }

    /// Whose it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its files. Whoever holds them keeps other processes out.
    pub fn files(&self) -> Arc<dyn Files> {
        Arc::clone(&self.files) as Arc<dyn Files>
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The file that says with whom its cluster began, if it has any peers.
    pub fn charter(&self) -> PathBuf {
        self.dir.join(CHARTER)
    }

    /// Where the log is.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Where the snapshots are.
    pub fn snapshots(&self) -> PathBuf {
        self.dir.join("snapshots")
    }

    /// Where checkpoints, history and indexes are.
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal")
    }

    /// Where projections are.
    pub fn views(&self) -> PathBuf {
        self.dir.join("views")
    }

    /// Lets others use it, once nothing is written any more, whoever still holds its files.
    pub fn release(&self) {
        self.files.release();
    }
}

/// True if the directory `dir` holds files of a log.
fn holds_a_log(files: &dyn Files, dir: &Path) -> std::io::Result<bool> {
    match files.list(dir) {
        Ok(names) => Ok(names.iter().any(|name| name.ends_with(".log"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
