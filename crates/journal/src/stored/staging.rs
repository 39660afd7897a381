use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catga_host::{Files, Open};

use super::Stored;
use super::checkpoint::Checkpoints;
use super::incoming::PiecesIn;
use super::manifest::{Manifest, Piece};
use super::part::Check;
use crate::LogIndex;
use crate::archive::{Sealed, TailEnd};
use crate::index::TableMark;
use crate::segment::SegmentError;

/// Where the pieces of a snapshot are until all of them are here.
///
/// A directory beside the others. A piece has a name of its own there, by what it is; it gets that
/// when it has come to its end, was checked and is durable.
#[derive(Debug)]
pub(crate) struct Staging {
    pub(super) checkpoints: Checkpoints,
    dir: PathBuf,
    /// Whoever adds pieces, removes them or takes them into place has it.
    turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The pieces that are here and were checked in this life of the process.
    names: BTreeSet<String>,
    /// What the newest snapshot that was offered in this life holds.
    offered: Option<LogIndex>,
}

/// The pieces that the replica's own state has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    sealed: Vec<Sealed>,
    tail: Option<TailEnd>,
    tables: Vec<TableMark>,
}

impl Held {
    /// Those of `stored`; tables that `manifest` has stay until those of another are held.
    pub(super) fn of(checkpoints: &Checkpoints, manifest: &Manifest, stored: &Stored) -> Self {
        let segments = stored.archive.segments();
        // What is damaged is not there.
        let damaged = stored.archive.damage().map(|damage| damage.segments()).unwrap_or_default();
        let is_good = |first: &u64| !damaged.contains(first);
        let tail = Some(segments.tail).filter(|tail| tail.end > 0 && is_good(&tail.first));
        let wanted = |own: &TableMark| manifest.tables.iter().any(|table| own.is_same(table));
        let tables = checkpoints.pin(stored.index.marks(), wanted);
        let sealed = segments.sealed.into_iter().filter(|sealed| is_good(&sealed.first)).collect();
        Self { sealed, tail, tables }
    }

    pub(super) fn has(&self, piece: &Piece) -> bool {
        match piece {
            Piece::Sealed(sealed) => self.sealed(sealed).is_some(),
            Piece::Tail(tail) => self.tail(tail).is_some(),
            Piece::Table(table) => self.table(table).is_some(),
            Piece::Engine(_) => false,
        }
    }

    /// The own segment with the same records.
    pub(super) fn sealed(&self, wanted: &Sealed) -> Option<Sealed> {
        let place = self.sealed.binary_search_by_key(&wanted.first, |own| own.first).ok()?;
        let own = self.sealed[place];
        ((own.last, own.hash) == (wanted.last, wanted.hash)).then_some(own)
    }

    pub(super) fn tail(&self, wanted: &TailEnd) -> Option<TailEnd> {
        let is_it = |own: &TailEnd| {
            (own.first, own.last, own.hash) == (wanted.first, wanted.last, wanted.hash)
        };
        self.tail.filter(is_it)
    }

    pub(super) fn table(&self, wanted: &TableMark) -> Option<TableMark> {
        self.tables.iter().find(|own| own.is_same(wanted)).copied()
    }

    /// Up to where the segment that begins with `first` is held, and the hash of that.
    pub(super) fn own_of(&self, first: u64) -> Option<(u64, u64)> {
        self.tail.filter(|own| own.first == first).map(|own| (own.last, own.hash))
    }

    /// What shows that this node's history is not a part of the other's.
    fn contradicts(&self, manifest: &Manifest) -> bool {
        let theirs = &manifest.archive;
        let own_last = self.tail.map(|tail| tail.last).or(self.sealed.last().map(|own| own.last));
        let differs = |own: &Sealed| {
            let place = theirs.sealed.binary_search_by_key(&own.first, |sealed| sealed.first);
            let sealed = place.ok().map(|place| theirs.sealed[place]);
            sealed.map(|sealed| (sealed.last, sealed.hash)) != Some((own.last, own.hash))
        };
        own_last > Some(manifest.offset().0) || self.sealed.iter().any(differs)
    }
}

impl Staging {
    pub(crate) fn new(checkpoints: Checkpoints) -> Self {
        let dir = checkpoints.incoming_dir();
        Self { checkpoints, dir, turn: tokio::sync::Mutex::default(), known: Mutex::default() }
    }

    pub(super) fn files(&self) -> &Arc<dyn Files> {
        self.checkpoints.files()
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Keeps everybody else from the pieces.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Begins to take the pieces of `manifest` that neither `stored` has nor are here, and drops
    /// those that it does not have; none of them if it is none.
    ///
    /// # Errors
    /// When the history here is none that the manifest goes on with, or the machine refuses.
    pub(crate) async fn receive(
        self: &Arc<Self>,
        manifest: Option<&Manifest>,
        source: u64,
        stored: &Stored,
    ) -> Result<PiecesIn, SegmentError> {
        let _turn = self.turn.lock().await;
        let Some(manifest) = manifest else {
            return Ok(PiecesIn::complete(Arc::clone(self), source));
        };
        let held = Held::of(&self.checkpoints, manifest, stored);
        if held.contradicts(manifest) {
            let path = self.checkpoints.history_dir();
            let what = "it is no part of the history that another node has";
            return Err(SegmentError::Foreign { path, what });
        }
        let made = self.files().create_dir(&self.dir).await;
        made.map_err(|error| self.io(error))?;
        self.lock().offered = Some(manifest.index);
        let pieces = manifest.pieces();
        self.tidy(&pieces, source)?;
        PiecesIn::begin(Arc::clone(self), source, pieces, held).await
    }

    /// Checks the pieces that were left here, and removes what is no part of `pieces`.
    fn tidy(&self, pieces: &[Piece], source: u64) -> Result<(), SegmentError> {
        for name in self.files().list(&self.dir).map_err(|error| self.io(error))? {
            let path = self.dir.join(&name);
            let is_known = self.lock().names.contains(&name);
            let piece = pieces.iter().find(|piece| piece.name() == name);
            let is_part = || pieces.iter().any(|piece| piece.part_name(source) == name);
            let is_kept = match piece {
                Some(piece) => is_known || self.is_good(&path, piece)?,
                None => is_part(),
            };
            if !is_kept {
                self.files().remove(&path).map_err(|error| SegmentError::io(&path, error))?;
            }
            let mut known = self.lock();
            match piece.is_some() && is_kept {
                true => known.names.insert(name),
                false => known.names.remove(&name),
            };
        }
        Ok(())
    }

    /// Reads a piece that an earlier life of the process has left.
    fn is_good(&self, path: &Path, piece: &Piece) -> Result<bool, SegmentError> {
        let io = |error| SegmentError::io(path, error);
        let file = self.files().open(path, Open::Read).map_err(io)?;
        let length = file.len().map_err(io)?;
        let piece = piece.in_a_file_of(length);
        if piece.length() != length {
            return Ok(false);
        }
        let mut check = Check::new(&piece, &Held::default());
        match check.advance(&file, path, (length, length)) {
            Err(error @ SegmentError::Io { .. }) => Err(error),
            Err(error) => {
                tracing::warn!(%error, "a piece of a snapshot has to come again");
                Ok(false)
            }
            Ok(()) => Ok(true),
        }
    }

    /// True if the piece is here.
    pub(super) fn has(&self, piece: &Piece) -> bool {
        self.lock().names.contains(&piece.name())
    }

    /// Where the piece is, if it is here.
    pub(super) fn path(&self, piece: &Piece) -> Option<PathBuf> {
        self.has(piece).then(|| self.dir.join(piece.name()))
    }

    /// Keeps the piece in the file at `path`, which was synced.
    pub(super) async fn keep(&self, piece: &Piece, path: &Path) -> Result<(), SegmentError> {
        let name = piece.name();
        let renamed = self.files().rename(path, &self.dir.join(&name));
        renamed.map_err(|error| SegmentError::io(path, error))?;
        self.files().sync_dir(&self.dir).await.map_err(|error| self.io(error))?;
        self.lock().names.insert(name);
        Ok(())
    }

    /// Removes everything, unless a snapshot comes that holds more than `index`: the replica has
    /// gone on without it.
    pub(crate) async fn give_up(&self, index: LogIndex) {
        let _turn = self.turn.lock().await;
        if self.lock().offered > Some(index) {
            return;
        }
        self.clear();
    }

    /// Removes everything. Whoever calls it has the turn.
    pub(crate) fn clear(&self) {
        self.checkpoints.pin(Vec::new(), |_| false);
        let mut known = self.lock();
        known.names.clear();
        known.offered = None;
        let removed = match self.files().list(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(names) => {
                names.iter().try_for_each(|name| self.files().remove(&self.dir.join(name)))
            }
        };
        if let Err(error) = removed {
            // It only takes up room; the next snapshot tries again.
            let dir = self.dir.display();
            tracing::warn!(%error, %dir, "cannot remove the pieces of a snapshot");
        }
    }

    fn io(&self, error: io::Error) -> SegmentError {
        SegmentError::io(&self.dir, error)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
