//! The pieces of a snapshot become this replica's state.
//!
//! Until the checkpoint that names them is durable, the one before counts, and stays readable at
//! each step. Its sealed segments and its tables are not touched: others come under new names. Its
//! tail may be replaced, by a file whose first records are the same ones, and it is opened by its
//! records.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use catga_host::Open;

use super::Stored;
use super::checkpoint::Checkpoints;
use super::manifest::{Manifest, Piece};
use super::part::read_all;
use super::staging::{Held, Staging};
use crate::archive::{self, Archive, Sealed, TailEnd, segment_path};
use crate::index::{Index, TableMark, TableName, arriving, table_path};
use crate::segment::SegmentError;

impl Staging {
    /// Takes the pieces of `manifest` into place, beside those that `current` has of them. Whoever
    /// calls it has the [turn](Self::turn), and no checkpoint is made meanwhile. What it gives
    /// counts once its checkpoint is [written](Checkpoints::write).
    ///
    /// # Errors
    /// When a piece is not here, or the machine refuses.
    pub(crate) async fn take_over(
        &self,
        manifest: &Manifest,
        current: &Stored,
    ) -> Result<Stored, SegmentError> {
        let checkpoints = self.checkpoints();
        let held = Held::of(checkpoints, manifest, current);
        let tables = self.tables(manifest, current, &held).await?;
        let segments = self.segments(manifest, &held).await?;
        let (files, dir) = (Arc::clone(self.files()), checkpoints.history_dir());
        let archive = Archive::open(files, dir, checkpoints.options(), &segments.encode())?;
        let (files, dir) = (Arc::clone(self.files()), checkpoints.index_dir());
        Ok(Stored { archive, index: Index::open(files, dir, &tables)? })
    }

    /// The engine that has come.
    ///
    /// # Errors
    /// When it is not here, or the machine refuses.
    pub(crate) fn engine(&self, manifest: &Manifest) -> Result<Bytes, SegmentError> {
        let path = self.here(&Piece::Engine(manifest.engine))?;
        let file = self.files().open(&path, Open::Read);
        let file = file.map_err(|error| SegmentError::io(&path, error))?;
        read_all(&*file, &path, manifest.engine.length)
    }

    /// The names of the tables, each of which is in its place.
    async fn tables(
        &self,
        manifest: &Manifest,
        current: &Stored,
        held: &Held,
    ) -> Result<Vec<TableName>, SegmentError> {
        let dir = self.checkpoints().index_dir();
        let mut names = Vec::new();
        for mark in &manifest.tables {
            let name = match held.table(mark) {
                Some(TableMark { name, .. }) => name,
                None => {
                    let path = self.here(&Piece::Table(*mark))?;
                    let name = current.index.fresh();
                    let io = |error| SegmentError::io(&path, error);
                    let file = self.files().open(&path, Open::Write).map_err(io)?;
                    arriving::rename(&*file, &path, name)?;
                    file.sync().await.map_err(io)?;
                    self.files().rename(&path, &table_path(&dir, name)).map_err(io)?;
                    name
                }
            };
            names.push(name);
        }
        self.sync(&dir).await?;
        Ok(names)
    }

    /// The segments as they are here, each in its place.
    async fn segments(
        &self,
        manifest: &Manifest,
        held: &Held,
    ) -> Result<archive::Manifest, SegmentError> {
        let dir = self.checkpoints().history_dir();
        let mut sealed = Vec::new();
        for theirs in &manifest.archive.sealed {
            sealed.push(match held.sealed(theirs) {
                Some(own) => own,
                None => {
                    let length = self.place(&Piece::Sealed(*theirs), theirs.first)?;
                    Sealed { length, ..*theirs }
                }
            });
        }
        let theirs = manifest.archive.tail;
        let tail = match held.tail(&theirs) {
            Some(own) => own,
            None if theirs.end == 0 => theirs,
            None => TailEnd { end: self.place(&Piece::Tail(theirs), theirs.first)?, ..theirs },
        };
        self.sync(&dir).await?;
        Ok(archive::Manifest { sealed, tail })
    }

    /// Takes a segment into its place; how long it is.
    fn place(&self, piece: &Piece, first: u64) -> Result<u64, SegmentError> {
        let path = self.here(piece)?;
        let io = |error| SegmentError::io(&path, error);
        let length = self.files().open(&path, Open::Read).map_err(io)?.len().map_err(io)?;
        let own = segment_path(&self.checkpoints().history_dir(), first);
        self.files().rename(&path, &own).map_err(io)?;
        Ok(length)
    }

    fn here(&self, piece: &Piece) -> Result<PathBuf, SegmentError> {
        self.path(piece).ok_or_else(|| SegmentError::Foreign {
            path: self.dir().to_owned(),
            what: "a piece of the snapshot has not come",
        })
    }

    /// Makes durable that files came from here into `dir`.
    async fn sync(&self, dir: &Path) -> Result<(), SegmentError> {
        for dir in [dir, self.dir()] {
            let synced = self.files().sync_dir(dir).await;
            synced.map_err(|error| SegmentError::io(dir, error))?;
        }
        Ok(())
    }

    fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }
}
