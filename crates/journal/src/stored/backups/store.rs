use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catga_host::{File, Files, Lock, Open};

use super::BackupError;
use super::kept::Kept;
use super::record::Record;
use crate::segment::{FileKind, SegmentError, read_whole, write_whole};
use crate::stored::manifest::Piece;
use crate::stored::part::Check;
use crate::stored::staging::Held;

/// How the names of manifests end.
const EXTENSION: &str = ".backup";

/// The directory of the pieces.
const PIECES: &str = "pieces";

/// The file that is locked while somebody uses the directory.
const LOCK: &str = "lock";

/// What file systems put there by themselves.
const LOST_AND_FOUND: &str = "lost+found";

/// A directory of backups.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(super) files: Arc<dyn Files>,
    pub(super) dir: PathBuf,
    pub(super) keep: Option<usize>,
}

/// True if a directory with these names holds backups.
pub(super) fn are_backups(names: &[String]) -> bool {
    let is_of_backups = |name: &String| name == PIECES || number(name).is_some();
    names.iter().any(is_of_backups) && !names.iter().any(|name| name == "identity")
}

/// The number of the backup whose manifest has this name.
pub(super) fn number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(EXTENSION)?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

fn file_name(number: u64) -> String {
    format!("{number:08}{EXTENSION}")
}

/// True if the name belongs to every directory of backups.
pub(super) fn is_fixed(name: &str) -> bool {
    [PIECES, LOCK, LOST_AND_FOUND].contains(&name)
}

impl Store {
    /// The one in `dir`, which must be there.
    pub(super) fn open(files: &Arc<dyn Files>, dir: &Path) -> Result<Self, BackupError> {
        let names = files.list(dir).map_err(|error| SegmentError::io(dir, error))?;
        if !are_backups(&names) {
            let found = names.first().map_or("nothing".to_owned(), |name| format!("`{name}`"));
            return Err(BackupError::NotBackups { dir: dir.to_owned(), found });
        }
        Ok(Self { files: Arc::clone(files), dir: dir.to_owned(), keep: None })
    }

    /// The one in `dir`, which is made if nothing is there yet.
    pub(super) async fn make(
        files: &Arc<dyn Files>,
        dir: &Path,
        keep: Option<usize>,
    ) -> Result<Self, BackupError> {
        let io = |error| SegmentError::io(dir, error);
        files.create_dir(dir).await.map_err(io)?;
        let names = files.list(dir).map_err(io)?;
        let other = names.iter().find(|name| !is_fixed(name));
        if let Some(found) = other.filter(|_| !are_backups(&names)) {
            let found = format!("`{found}`");
            return Err(BackupError::NotBackups { dir: dir.to_owned(), found });
        }
        Ok(Self { files: Arc::clone(files), dir: dir.to_owned(), keep })
    }

    /// Keeps everybody else from it.
    ///
    /// # Errors
    /// When somebody uses it, or the machine refuses.
    pub(crate) fn lock(&self) -> Result<Lock, BackupError> {
        let path = self.dir.join(LOCK);
        self.files.lock(&path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => BackupError::InUse { dir: self.dir.clone() },
            _ => SegmentError::io(&path, error).into(),
        })
    }

    /// The same, where that is possible without writing anything: a copy of backups may be on a
    /// medium that cannot be written to, and then nobody adds any.
    pub(super) fn lock_if_any(&self) -> Result<Option<Lock>, BackupError> {
        if self.files.open(&self.dir.join(LOCK), Open::Read).is_err() {
            return Ok(None);
        }
        match self.lock() {
            Err(BackupError::File(_)) => Ok(None),
            locked => locked.map(Some),
        }
    }

    pub(super) fn pieces_dir(&self) -> PathBuf {
        self.dir.join(PIECES)
    }

    /// Where the manifest of a backup is.
    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(file_name(number))
    }

    /// Where a piece is.
    pub(super) fn piece_path(&self, kept: &Kept) -> PathBuf {
        self.pieces_dir().join(kept.name())
    }

    /// The numbers of all backups, oldest first.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, SegmentError> {
        let names = self.files.list(&self.dir);
        let names = names.map_err(|error| SegmentError::io(&self.dir, error))?;
        let mut numbers: Vec<_> = names.iter().filter_map(|name| number(name)).collect();
        // Those with more digits than others are not in the order of their names.
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The manifest of a backup.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub(super) fn read(&self, number: u64) -> Result<Record, SegmentError> {
        let path = self.path(number);
        let found = read_whole(&*self.files, &path, FileKind::Backup)?;
        let foreign = |what| SegmentError::Foreign { path: path.clone(), what };
        let (own, payload) = found.ok_or_else(|| foreign("it vanished"))?;
        if own != number {
            return Err(foreign("it was written as another backup"));
        }
        Record::decode(number, payload).ok_or_else(|| foreign("this build cannot read it"))
    }

    /// Writes the manifest of a backup, whose pieces are durable.
    pub(super) async fn write(&self, record: &Record) -> Result<(), SegmentError> {
        let path = self.path(record.number);
        write_whole(&*self.files, &path, FileKind::Backup, record.number, &record.encode()).await
    }

    /// Looks at every byte of a piece: that it is what its name says.
    ///
    /// # Errors
    /// When it is not, is not there, or cannot be read.
    pub(super) fn check_bytes(&self, kept: &Kept) -> Result<Arc<dyn File>, SegmentError> {
        let path = self.piece_path(kept);
        let io = |error| SegmentError::io(&path, error);
        let file = self.files.open(&path, Open::Read).map_err(io)?;
        let damaged = |what| SegmentError::Damaged { path: path.clone(), at: 0, what };
        let length = file.len().map_err(io)?;
        if length != kept.length {
            return Err(damaged("it has another length than its name says"));
        }
        if Kept::of_file(kept.kind, &*file, &path, length)? != *kept {
            return Err(damaged("its hash is not that of its name"));
        }
        Ok(file)
    }

    /// The same, and that it is what `piece` says.
    ///
    /// # Errors
    /// As [`check_bytes`](Self::check_bytes).
    pub(super) fn check(&self, piece: &Piece, kept: &Kept) -> Result<(), SegmentError> {
        let file = self.check_bytes(kept)?;
        let (path, length) = (self.piece_path(kept), kept.length);
        let damaged = |what| SegmentError::Damaged { path: path.clone(), at: 0, what };
        if piece.length() != length {
            return Err(damaged("it has another length than its manifest says"));
        }
        Check::new(piece, &Held::default()).advance(&file, &path, (length, length))
    }
}
