//! Backups: copies of a replica's checkpoints, many in one directory, outside of any node.
//!
//! ```text
//! lock              held by whoever adds a backup, or restores one
//! 00000001.backup   what one backup consists of; written last
//! pieces/           what all of them consist of, each piece once, named by its hash and length
//! ```
//!
//! A backup is what a snapshot for another node is: a [manifest](super::Manifest) and its pieces.
//! History segments never change once they are full, so the next backup shares them with this one
//! and copies only what is new. Nothing that is there is trusted before its length and hash were
//! looked at, and what is not as it should be is copied again.

mod backup;
mod error;
mod kept;
mod record;
mod store;
mod taking;
mod tidy;
mod verify;
mod which;
mod whole;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catga_host::Files;

use self::store::Store;
use crate::FileReport;

pub use self::backup::Backup;
pub use self::error::BackupError;
pub(crate) use self::taking::Label;
pub use self::which::{ParseWhichError, Which};
pub use self::whole::WholeBackup;

/// A directory of backups, and how many of them are kept there.
///
/// ```
/// use catga_journal::Backups;
///
/// let all = Backups::new("/backups/shop");
/// let of_a_week = Backups::new("/backups/shop").keep(7);
/// assert_eq!(all.dir(), of_a_week.dir());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backups {
    dir: PathBuf,
    keep: Option<usize>,
}

impl Backups {
    /// The backups in `dir`, which is made by the first of them.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), keep: None }
    }

    /// Keeps the newest so many that can be read, at least one: after a new one was made, the others
    /// are removed. If nothing is said, all are kept.
    #[must_use]
    pub fn keep(mut self, newest: usize) -> Self {
        self.keep = Some(newest.max(1));
        self
    }

    /// Where they are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// True if `dir` holds backups, and is not the directory of a node.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn are_in(files: &dyn Files, dir: &Path) -> std::io::Result<bool> {
        Ok(store::are_backups(&files.list(dir)?))
    }

    /// What there is, by its number, oldest first; of a manifest that cannot be read, why not. Reads
    /// the manifests alone; [`verify`](Self::verify) names all that is wrong.
    ///
    /// # Errors
    /// When it is no directory of backups.
    pub fn list(
        &self,
        files: &Arc<dyn Files>,
    ) -> Result<BTreeMap<u64, Result<Backup, BackupError>>, BackupError> {
        let store = Store::open(files, &self.dir)?;
        let read = |number| Ok(store.read(number)?.backup());
        Ok(store.numbers()?.into_iter().map(|number| (number, read(number))).collect())
    }

    /// Reads every byte, and says of each file what it holds, or that it is damaged, missing or of
    /// no use. Changes nothing.
    ///
    /// # Errors
    /// When it is no directory of backups, or one is being made there.
    pub fn verify(&self, files: &Arc<dyn Files>) -> Result<Vec<FileReport>, BackupError> {
        let store = Store::open(files, &self.dir)?;
        let _lock = store.lock_if_any()?;
        Ok(verify::verify(&store))
    }

    /// Reads every byte of one of them, and finds it whole.
    ///
    /// # Errors
    /// When there is no such backup, or something of it is missing or damaged: all that is.
    pub fn whole(&self, files: &Arc<dyn Files>, which: Which) -> Result<WholeBackup, BackupError> {
        WholeBackup::read(Store::open(files, &self.dir)?, which)
    }

    /// Those in which a replica with these files adds one; makes the directory.
    pub(crate) async fn store(&self, files: &Arc<dyn Files>) -> Result<Store, BackupError> {
        Store::make(files, &self.dir, self.keep).await
    }
}

impl<P: Into<PathBuf>> From<P> for Backups {
    fn from(dir: P) -> Self {
        Self::new(dir)
    }
}
