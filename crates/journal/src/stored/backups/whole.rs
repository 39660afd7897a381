use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use catga_host::{Files, Lock, Open};
use sha2::{Digest, Sha256};

use super::kept::{Kept, READ};
use super::record::Record;
use super::store::Store;
use super::verify::{engine, faults};
use super::{Backup, BackupError, Which};
use crate::archive::{self, Archive, Sealed, TailEnd, segment_path};
use crate::index::{self, Index, TableName, table_path};
use crate::segment::SegmentError;
use crate::stored::manifest::Piece;
use crate::stored::{Checkpoints, Stored};
use crate::{FileReport, LogSnapshot};

/// A backup of which every byte was found as it was written. As long as it is held nobody adds a
/// backup, so nothing of it is removed.
#[derive(Debug)]
pub struct WholeBackup {
    store: Store,
    record: Record,
    engine: Bytes,
    _lock: Option<Lock>,
}

impl WholeBackup {
    pub(super) fn read(store: Store, which: Which) -> Result<Self, BackupError> {
        let lock = store.lock_if_any()?;
        let numbers = store.numbers()?;
        let number = match which {
            Which::Latest => numbers.last().copied(),
            Which::Number(number) => Some(number).filter(|number| numbers.contains(number)),
        };
        let dir = store.dir.clone();
        let Some(number) = number else {
            return Err(BackupError::NoSuchBackup { dir, which, numbers });
        };
        let damaged = |faults| BackupError::Damaged { dir: dir.clone(), number, faults };
        let one = |path: &Path, error: SegmentError| {
            damaged(vec![FileReport::new(path.to_owned(), Err(error))])
        };
        let path = store.path(number);
        let record = store.read(number).map_err(|error| one(&path, error))?;
        let faults = faults(&store, &record);
        if !faults.is_empty() {
            return Err(damaged(faults));
        }
        let engine = engine(&store, &record).map_err(|error| one(&path, error))?;
        Ok(Self { store, record, engine, _lock: lock })
    }

    /// Which it is.
    pub fn backup(&self) -> Backup {
        self.record.backup()
    }

    /// Makes of it what a replica keeps in the directory `dir`, where nothing is yet, in the life
    /// `incarnation` of the journal: that must be a new one, since what was recorded after the backup
    /// is not in it. Gives the snapshot from which the replica's log is to go on. Durable when it
    /// returns.
    ///
    /// # Errors
    /// When the machine refuses, or a piece is not any more as it was.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a part of it in `dir`.
    pub async fn restore(
        &self,
        files: &Arc<dyn Files>,
        dir: &Path,
        incarnation: u64,
    ) -> Result<LogSnapshot, BackupError> {
        let checkpoints = Checkpoints::new(Arc::clone(files), dir.to_owned());
        checkpoints.empty().await?;
        let (history, index) = (checkpoints.history_dir(), checkpoints.index_dir());
        let (mut sealed, mut tables) = (Vec::new(), Vec::new());
        let mut tail = self.record.manifest.archive.tail;
        for (piece, kept) in self.record.pieces() {
            match piece {
                Piece::Sealed(segment) => {
                    self.copy(&kept, files, &segment_path(&history, segment.first), None).await?;
                    sealed.push(Sealed { length: kept.length, ..segment });
                }
                Piece::Tail(segment) => {
                    self.copy(&kept, files, &segment_path(&history, segment.first), None).await?;
                    tail = TailEnd { end: kept.length, ..segment };
                }
                Piece::Table(_) => {
                    // They come oldest first, and later ones have greater names.
                    let name = TableName(tables.len() as u64 + 1);
                    self.copy(&kept, files, &table_path(&index, name), Some(name)).await?;
                    tables.push(name);
                }
                // It goes into the checkpoint.
                Piece::Engine(_) => {}
            }
        }
        tables.reverse();
        for dir in [&history, &index] {
            files.sync_dir(dir).await.map_err(|error| SegmentError::io(dir, error))?;
        }
        let segments = archive::Manifest { sealed, tail }.encode();
        let archive = Archive::open(Arc::clone(files), history, checkpoints.options(), &segments)?;
        let stored = Stored { archive, index: Index::open(Arc::clone(files), index, &tables)? };
        let (index, engine) = (self.record.manifest.index, self.engine.clone());
        let manifest = checkpoints.write(incarnation, index, engine, &stored).await?;
        Ok(LogSnapshot { upto: Some(manifest.index), data: manifest.encode() })
    }

    /// Copies a piece to `path`; a table gets the name that it is to have there.
    async fn copy(
        &self,
        kept: &Kept,
        files: &Arc<dyn Files>,
        path: &Path,
        table: Option<TableName>,
    ) -> Result<(), SegmentError> {
        let from = self.store.piece_path(kept);
        let source = self.store.files.open(&from, Open::Read);
        let source = source.map_err(|error| SegmentError::io(&from, error))?;
        let io = |error| SegmentError::io(path, error);
        let file = files.open(path, Open::Create).map_err(io)?;
        let (mut hasher, mut buffer, mut at) = (Sha256::new(), vec![0; READ], 0);
        while at < kept.length {
            let rest = usize::try_from(kept.length - at).unwrap_or(usize::MAX);
            let part = &mut buffer[..rest.min(READ)];
            source.read_at(part, at).map_err(|error| SegmentError::io(&from, error))?;
            hasher.update(&*part);
            file.write_at(part, at).map_err(io)?;
            at += part.len() as u64;
        }
        if <[u8; 32]>::from(hasher.finalize()) != kept.hash {
            // It was read once before, and was good.
            let what = "it reads otherwise than a moment ago";
            return Err(SegmentError::Damaged { path: from, at: 0, what });
        }
        if let Some(name) = table {
            index::arriving::rename(&*file, path, name)?;
        }
        file.sync().await.map_err(io)
    }
}
