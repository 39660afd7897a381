use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use catga_host::{File, Files};

use super::incoming::open_or_create;
use super::manifest::{EngineMark, Piece};
use super::staging::Held;
use crate::archive::arriving::{Arriving as Segment, Expected};
use crate::index::arriving::Arriving as Table;
use crate::segment::{FileKind, SegmentError, SegmentReader};

/// A piece that has not come to its end.
#[derive(Debug)]
pub(super) struct Part {
    file: Arc<dyn File>,
    path: PathBuf,
    /// How many bytes are here.
    has: u64,
    synced: u64,
    /// How many there will be.
    length: u64,
    check: Check,
}

/// Looks at what has come of a piece. Segments and tables are looked at while they come, so that
/// the end of a large one does not take long.
#[derive(Debug)]
pub(super) enum Check {
    Segment(Box<Segment>),
    Table(Table),
    Engine(EngineMark),
}

impl Check {
    pub(super) fn new(piece: &Piece, held: &Held) -> Self {
        match piece {
            Piece::Sealed(sealed) => Self::segment(Expected::sealed(sealed), held),
            Piece::Tail(tail) => Self::segment(Expected::tail(tail), held),
            Piece::Table(table) => Self::Table(Table::new(*table)),
            Piece::Engine(engine) => Self::Engine(*engine),
        }
    }

    fn segment(expected: Expected, held: &Held) -> Self {
        let expected = Expected { own: held.own_of(expected.first), ..expected };
        Self::Segment(Box::new(Segment::new(expected)))
    }

    /// One of the same that was not looked at.
    fn anew(&self) -> Self {
        match self {
            Self::Segment(segment) => Self::Segment(Box::new(segment.anew())),
            Self::Table(table) => Self::Table(table.anew()),
            Self::Engine(engine) => Self::Engine(*engine),
        }
    }

    /// Where what was found good ends.
    fn good(&self) -> u64 {
        match self {
            Self::Segment(segment) => segment.good(),
            Self::Table(table) => table.good(),
            Self::Engine(_) => 0,
        }
    }

    /// Looks at what has come since the last time: `has` of `length` bytes are there.
    pub(super) fn advance(
        &mut self,
        file: &Arc<dyn File>,
        path: &Path,
        (has, length): (u64, u64),
    ) -> Result<(), SegmentError> {
        let reader = |kind| SegmentReader::of(Arc::clone(file), path, kind);
        // A head alone says nothing.
        let has_head = has >= 64;
        match self {
            Self::Segment(segment) if has_head => segment.advance(&reader(FileKind::History)?, has),
            Self::Table(table) if has_head => table.advance(&reader(FileKind::Index)?, has),
            Self::Engine(engine) if has == length => {
                let bytes = read_all(&**file, path, has)?;
                if EngineMark::of(&bytes) == *engine {
                    return Ok(());
                }
                let what = "its hash is not that of the engine";
                Err(SegmentError::Damaged { path: path.to_owned(), at: 0, what })
            }
            _ => Ok(()),
        }
    }
}

/// Reads a file that is held in memory in the end.
pub(super) fn read_all(file: &dyn File, path: &Path, len: u64) -> Result<Bytes, SegmentError> {
    let mut bytes = BytesMut::zeroed(usize::try_from(len).unwrap_or(usize::MAX));
    let read = file.read_at(&mut bytes, 0);
    read.map_err(|error| SegmentError::io(path, error))?;
    Ok(bytes.freeze())
}

impl Part {
    /// What is there of a piece of `length` bytes, as far as it is good.
    pub(super) fn open(
        files: &dyn Files,
        path: PathBuf,
        mut check: Check,
        length: u64,
    ) -> Result<Self, SegmentError> {
        let io = |error| SegmentError::io(&path, error);
        let file = open_or_create(files, &path)?;
        let found = file.len().map_err(io)?;
        let has = found.min(length);
        let looked = check.advance(&file, &path, (has, length));
        let part = Self { file, path, has, synced: 0, length, check };
        match looked {
            Err(error @ SegmentError::Io { .. }) => Err(error),
            // What a loss of power left of it need not be good.
            Err(_) => part.cut(),
            Ok(()) if has == length => part.cut_to(length),
            Ok(()) => {
                let good = part.check.good();
                part.cut_to(good)
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn has(&self) -> u64 {
        self.has
    }

    pub(super) fn is_complete(&self) -> bool {
        self.has == self.length
    }

    /// Adds the next bytes. When the last have come without an error, the piece is what it should
    /// be.
    ///
    /// # Errors
    /// When it turns out that it is not, or the machine refuses.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), SegmentError> {
        let room = usize::try_from(self.length - self.has).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        let written = self.file.write_at(bytes, self.has);
        written.map_err(|error| SegmentError::io(&self.path, error))?;
        self.has += bytes.len() as u64;
        self.check.advance(&self.file, &self.path, (self.has, self.length))
    }

    /// How many bytes may not be durable.
    pub(super) fn unsynced(&self) -> u64 {
        self.has - self.synced
    }

    pub(super) async fn sync(&self) -> Result<(), SegmentError> {
        self.file.sync().await.map_err(|error| SegmentError::io(&self.path, error))
    }

    pub(super) fn note_synced(&mut self) {
        self.synced = self.has;
    }

    /// Goes back to where it is good; to the beginning, if there is no telling where that is.
    pub(super) fn cut(self) -> Result<Self, SegmentError> {
        let good = self.check.good();
        let has = if good < self.has { good } else { 0 };
        self.cut_to(has)
    }

    fn cut_to(mut self, has: u64) -> Result<Self, SegmentError> {
        if has == 0 {
            self.check = self.check.anew();
        }
        self.file.set_len(has).map_err(|error| SegmentError::io(&self.path, error))?;
        self.has = has;
        self.synced = self.synced.min(has);
        Ok(self)
    }

    /// Removes it.
    pub(super) fn discard(self, files: &dyn Files) -> Result<(), SegmentError> {
        files.remove(&self.path).map_err(|error| SegmentError::io(&self.path, error))
    }
}
