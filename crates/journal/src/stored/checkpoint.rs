use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use catga_host::{Files, Open};

use super::Stored;
use super::manifest::Manifest;
use crate::LogIndex;
use crate::archive::{Archive, ArchiveOptions};
use crate::index::{Index, TableMark, TableName, table_path};
use crate::segment::{
    FileKind, SegmentError, SegmentReader, frame_bytes, read_whole, remove_unfinished, write_whole,
};

/// How many checkpoints are kept: the newest, and the one before it to fall back on.
const KEPT: usize = 2;

/// How the names of their files end.
const EXTENSION: &str = ".checkpoint";

/// Where checkpoints, the archive and the index of one replica are.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    files: Arc<dyn Files>,
    dir: PathBuf,
    options: ArchiveOptions,
    /// Tables that no checkpoint may name, and that stay all the same: a snapshot that comes from
    /// another node has them too. Locked while tables are removed.
    pinned: Arc<Mutex<Vec<TableMark>>>,
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
        Self { files, dir, options: ArchiveOptions::default(), pinned: Arc::default() }
    }

    /// The same with segments of the history of `bytes` bytes.
    pub(crate) fn with_segment_bytes(self, bytes: u64) -> Self {
        Self { options: ArchiveOptions { segment_bytes: bytes, ..self.options }, ..self }
    }

    /// The same where somebody mends what is damaged of the history.
    pub(crate) fn with_mending(self) -> Self {
        Self { options: ArchiveOptions { damage: Some(Arc::default()), ..self.options }, ..self }
    }

    /// Ready once a segment of the history was found damaged; never where nobody mends it.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn damage_noticed(&self) {
        match &self.options.damage {
            Some(damage) => damage.noticed().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn files(&self) -> &Arc<dyn Files> {
        &self.files
    }

    pub(super) fn options(&self) -> ArchiveOptions {
        self.options.clone()
    }

    pub(super) fn incoming_dir(&self) -> PathBuf {
        self.dir.join("incoming")
    }

    pub(super) fn history_dir(&self) -> PathBuf {
        self.dir.join("history")
    }

    pub(super) fn index_dir(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// What a replica that never had a checkpoint has; makes its directories, and makes durable what
    /// is in them: a process that ended by itself may have left names that only look so, and the log
    /// is dropped because they are there.
    pub(crate) async fn empty(&self) -> Result<Stored, SegmentError> {
        for dir in [self.history_dir(), self.index_dir()] {
            let made = self.files.create_dir(&dir).await;
            made.map_err(|error| SegmentError::io(&dir, error))?;
        }
        remove_unfinished(&*self.files, &self.dir)?;
        for dir in [self.history_dir(), self.index_dir(), self.dir.clone()] {
            let synced = self.files.sync_dir(&dir).await;
            synced.map_err(|error| SegmentError::io(&dir, error))?;
        }
        let (files, options) = (&self.files, self.options.clone());
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
        let (files, options) = (Arc::clone(&self.files), self.options.clone());
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
    /// checkpoint needs any more; what another node needs to have the same.
    pub(crate) async fn write(
        &self,
        incarnation: u64,
        index: LogIndex,
        engine: Bytes,
        stored: &Stored,
    ) -> Result<Manifest, SegmentError> {
        let manifest = Manifest::of(incarnation, index, &engine, stored);
        let checkpoint = Checkpoint {
            incarnation,
            index,
            engine,
            archive: stored.archive.manifest(),
            tables: stored.index.tables(),
        };
        let offset = stored.offset().0;
        let path = self.path(offset);
        let payload = checkpoint.encode();
        write_whole(&*self.files, &path, FileKind::Checkpoint, offset, &payload).await?;
        self.remove_others(stored);
        Ok(manifest)
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
        let pinned = self.lock_pinned();
        tables.extend(pinned.iter().map(|table| table.name));
        stored.index.remove_others(&tables)
    }

    /// Has those of `tables`, and of what was pinned before, stay until others are to that `wanted`
    /// says and that are there; gives these.
    pub(super) fn pin(
        &self,
        tables: Vec<TableMark>,
        wanted: impl Fn(&TableMark) -> bool,
    ) -> Vec<TableMark> {
        let mut pinned = self.lock_pinned();
        // One that was merged with others meanwhile is here only.
        pinned.extend(tables);
        pinned.retain(|table| {
            let path = table_path(&self.index_dir(), table.name);
            wanted(table) && self.files.open(&path, Open::Read).is_ok()
        });
        pinned.sort_unstable_by_key(|table| table.name);
        pinned.dedup();
        pinned.clone()
    }

    fn lock_pinned(&self) -> MutexGuard<'_, Vec<TableMark>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In which file the engine of a checkpoint is, and where in it.
    ///
    /// # Errors
    /// When the checkpoint is not there.
    pub(super) fn engine_at(&self, manifest: &Manifest) -> Result<(PathBuf, u64), SegmentError> {
        let path = self.path(manifest.offset().0);
        let reader = SegmentReader::open(&*self.files, &path, FileKind::Checkpoint)?;
        let archive = manifest.archive.encode().len();
        let before = Checkpoint::engine_begins(manifest.tables.len(), archive);
        let payload = before + usize::try_from(manifest.engine.length).unwrap_or(usize::MAX / 2);
        let start = reader.start() + frame_bytes(0);
        let mut head = [0; 24];
        let file = self.files.open(&path, Open::Read);
        let read = file.and_then(|file| file.read_at(&mut head, start));
        read.map_err(|error| SegmentError::io(&path, error))?;
        let LogIndex { term, index } = manifest.index;
        let is_it = Checkpoint::head(manifest.incarnation, term, index) == head;
        // Another may have the same offset: entries without an effect that counts lie between.
        if !is_it || reader.len()? != reader.start() + frame_bytes(payload) {
            let what = "it is the checkpoint of another moment";
            return Err(SegmentError::Foreign { path, what });
        }
        Ok((path, start + before as u64))
    }

    fn path(&self, offset: u64) -> PathBuf {
        self.dir.join(format!("{offset:016x}{EXTENSION}"))
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
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        let LogIndex { term, index } = self.index;
        bytes.put_slice(&Self::head(self.incarnation, term, index));
        bytes.put_u64_le(self.tables.len() as u64);
        self.tables.iter().for_each(|table| bytes.put_u64_le(table.0));
        bytes.put_u64_le(self.archive.len() as u64);
        bytes.put_slice(&self.archive);
        bytes.put_slice(&self.engine);
        bytes.freeze()
    }

    /// What is encoded first.
    fn head(incarnation: u64, term: u64, index: u64) -> [u8; 24] {
        let mut head = [0; 24];
        for (bytes, number) in head.chunks_exact_mut(8).zip([incarnation, term, index]) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        head
    }

    /// Where in what is encoded the engine begins, which is the last.
    fn engine_begins(tables: usize, archive: usize) -> usize {
        let numbers = 5 + tables;
        numbers * 8 + archive
    }

    pub(super) fn decode(mut bytes: Bytes) -> Option<Self> {
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
