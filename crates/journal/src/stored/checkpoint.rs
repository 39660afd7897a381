use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use catga_host::Files;

use super::Stored;
use crate::LogIndex;
use crate::archive::{Archive, ArchiveOptions};
use crate::index::{Index, TableName};
use crate::segment::{FileKind, SegmentError, read_whole, write_whole};

/// How many checkpoints are kept: the newest, and the one before it to fall back on.
const KEPT: usize = 2;

/// How the names of their files end.
const EXTENSION: &str = ".checkpoint";

/// Where checkpoints, the archive and the index of one replica are.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    files: Arc<dyn Files>,
    dir: PathBuf,
}

/// One moment of a replica: the engine without its heads, and which files hold the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Which life of the journal it is of.
    pub(crate) incarnation: u64,
    /// The last entry of the log that it holds.
    pub(crate) index: LogIndex,
    /// The engine without its heads.
    pub(crate) engine: Bytes,
    pub(super) archive: Bytes,
    pub(super) tables: Vec<TableName>,
}

impl Checkpoints {
    pub(crate) fn new(files: Arc<dyn Files>, dir: PathBuf) -> Self {
        Self { files, dir }
    }

    pub(super) fn history_dir(&self) -> PathBuf {
        self.dir.join("history")
    }

    pub(super) fn index_dir(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// What a replica that never had a checkpoint has; makes its directories.
    pub(crate) async fn empty(&self) -> Result<Stored, SegmentError> {
        for dir in [self.history_dir(), self.index_dir()] {
            let made = self.files.create_dir(&dir).await;
            made.map_err(|error| SegmentError::io(&dir, error))?;
        }
        let (files, options) = (&self.files, ArchiveOptions::default());
        Ok(Stored {
            archive: Archive::empty(Arc::clone(files), self.history_dir(), options),
            index: Index::empty(Arc::clone(files), self.index_dir())?,
        })
    }

    /// The newest checkpoint whose files are there. A damaged one is named in the log, and the one
    /// before it is taken.
    ///
    /// # Errors
    /// When there are checkpoints and none of them can be read.
    pub(crate) async fn open(&self) -> Result<Option<(Checkpoint, Stored)>, SegmentError> {
        let mut first_error = None;
        for path in self.newest_first()? {
            match self.read(&path).await {
                Ok((checkpoint, stored)) => {
                    match &first_error {
                        // The one that was passed over may be looked into, as long as it is there.
                        Some(error) => {
                            let taken = path.display();
                            tracing::warn!(%error, %taken, "a checkpoint is passed over");
                        }
                        None => self.remove_others(&stored),
                    }
                    return Ok(Some((checkpoint, stored)));
                }
                Err(error) => _ = first_error.get_or_insert(error),
            }
        }
        first_error.map_or(Ok(None), Err)
    }

    async fn read(&self, path: &Path) -> Result<(Checkpoint, Stored), SegmentError> {
        let (checkpoint, archive) = self.read_archive(path)?;
        let (files, dir) = (Arc::clone(&self.files), self.index_dir());
        let index = match Index::open(files, dir.clone(), &checkpoint.tables) {
            Ok(index) => index,
            Err(error) if matches!(error, SegmentError::Io { .. }) && !error.is_not_found() => {
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(%error, "the index is made anew from the history");
                let index = Index::empty(Arc::clone(&self.files), dir)?;
                // What an attempt before left behind would add up.
                if let Some(tables) = self.kept_tables() {
                    let removed = index.remove_others(&tables);
                    removed.map_err(|error| SegmentError::io(&self.index_dir(), error))?;
                }
                Stored { archive: archive.clone(), index }.rebuild_index().await?
            }
        };
        Ok((checkpoint, Stored { archive, index }))
    }

    /// The checkpoint at `path` and its archive; changes nothing.
    ///
    /// # Errors
    /// When one of them is damaged or cannot be read.
    pub(super) fn read_archive(&self, path: &Path) -> Result<(Checkpoint, Archive), SegmentError> {
        let (offset, checkpoint) = self.read_alone(path)?;
        let (files, options) = (Arc::clone(&self.files), ArchiveOptions::default());
        let archive = Archive::open(files, self.history_dir(), options, &checkpoint.archive)?;
        if archive.last().0 != offset {
            let what = "its history ends elsewhere";
            return Err(SegmentError::Foreign { path: path.to_owned(), what });
        }
        Ok((checkpoint, archive))
    }

    /// The index of a checkpoint; changes nothing.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub(super) fn read_index(&self, checkpoint: &Checkpoint) -> Result<Index, SegmentError> {
        Index::open(Arc::clone(&self.files), self.index_dir(), &checkpoint.tables)
    }

    /// The offset of the checkpoint at `path`, and what it says.
    pub(super) fn read_alone(&self, path: &Path) -> Result<(u64, Checkpoint), SegmentError> {
        let found = read_whole(&*self.files, path, FileKind::Checkpoint)?;
        let foreign = |what| SegmentError::Foreign { path: path.to_owned(), what };
        let (offset, payload) = found.ok_or_else(|| foreign("it vanished"))?;
        let checkpoint = Checkpoint::decode(payload).ok_or_else(|| foreign("it cannot be read"))?;
        Ok((offset, checkpoint))
    }

    /// Makes `stored` with the engine as of `index` the newest checkpoint, and removes what no
    /// checkpoint needs any more.
    pub(crate) async fn write(
        &self,
        incarnation: u64,
        index: LogIndex,
        engine: Bytes,
        stored: &Stored,
    ) -> Result<(), SegmentError> {
        let checkpoint = Checkpoint {
            incarnation,
            index,
            engine,
            archive: stored.archive.manifest(),
            tables: stored.index.tables(),
        };
        let offset = stored.offset().0;
        let path = self.dir.join(format!("{offset:016x}{EXTENSION}"));
        let payload = checkpoint.encode();
        write_whole(&*self.files, &path, FileKind::Checkpoint, offset, &payload).await?;
        self.remove_others(stored);
        Ok(())
    }

    /// Removes what neither `stored` nor a checkpoint that is kept needs: old checkpoints, and what
    /// is left of those that were never completed.
    pub(crate) fn remove_others(&self, stored: &Stored) {
        if let Err(error) = self.try_remove_others(stored) {
            // It only takes up room; the next checkpoint tries again.
            let dir = self.dir.display();
            tracing::warn!(%error, %dir, "cannot remove what no checkpoint needs");
        }
    }

    fn try_remove_others(&self, stored: &Stored) -> io::Result<()> {
        stored.archive.remove_others()?;
        // One that cannot be read is no reason to remove anything that it may name.
        let Some(mut tables) = self.kept_tables() else { return Ok(()) };
        for path in self.newest_first().map_err(io::Error::from)?.iter().skip(KEPT) {
            self.files.remove(path)?;
        }
        tables.extend(stored.index.tables());
        stored.index.remove_others(&tables)
    }

    /// The tables of the checkpoints that are kept; none if one of them cannot be read.
    fn kept_tables(&self) -> Option<Vec<TableName>> {
        let kept = self.newest_first().ok()?.into_iter().take(KEPT);
        let read = kept.map(|path| self.read_alone(&path).ok());
        read.map(|read| read.map(|(_, checkpoint)| checkpoint.tables))
            .collect::<Option<Vec<_>>>()
            .map(|tables| tables.concat())
    }

    /// Where all checkpoints are, newest first.
    pub(super) fn newest_first(&self) -> Result<Vec<PathBuf>, SegmentError> {
        let names = self.names()?;
        Ok(names.iter().rev().map(|name| self.dir.join(name)).collect())
    }

    /// The names of all checkpoints, oldest first.
    fn names(&self) -> Result<Vec<String>, SegmentError> {
        match self.files.list(&self.dir) {
            Ok(mut names) => {
                names.retain(|name| name.ends_with(EXTENSION));
                Ok(names)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(SegmentError::io(&self.dir, error)),
        }
    }
}

impl Checkpoint {
    /// Numbers 64-bit little-endian: incarnation; term and index of the last entry; the index's
    /// tables and the archive's manifest, each with its length before it; the engine.
    fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_u64_le(self.incarnation);
        bytes.put_u64_le(self.index.term);
        bytes.put_u64_le(self.index.index);
        bytes.put_u64_le(self.tables.len() as u64);
        self.tables.iter().for_each(|table| bytes.put_u64_le(table.0));
        bytes.put_u64_le(self.archive.len() as u64);
        bytes.put_slice(&self.archive);
        bytes.put_slice(&self.engine);
        bytes.freeze()
    }

    fn decode(mut bytes: Bytes) -> Option<Self> {
        let incarnation = bytes.try_get_u64_le().ok()?;
        let term = bytes.try_get_u64_le().ok()?;
        let index = LogIndex { term, index: bytes.try_get_u64_le().ok()? };
        let count = usize::try_from(bytes.try_get_u64_le().ok()?).ok()?;
        if count > bytes.len() / 8 {
            return None;
        }
        let tables = (0..count).map(|_| Some(TableName(bytes.try_get_u64_le().ok()?)));
        let tables = tables.collect::<Option<Vec<_>>>()?;
        let length = usize::try_from(bytes.try_get_u64_le().ok()?).ok()?;
        if length > bytes.len() {
            return None;
        }
        let archive = bytes.split_to(length);
        Some(Self { incarnation, index, engine: bytes, archive, tables })
    }
}
