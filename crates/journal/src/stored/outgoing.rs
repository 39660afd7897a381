use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use catga_core::{Fault, FaultCode};
use catga_host::{File, Open};

use super::checkpoint::Checkpoints;
use super::manifest::{Manifest, Piece};
use super::part::Check;
use super::staging::Held;
use super::storage_fault;
use crate::archive::{Sealed, TailEnd, segment_path};
use crate::index::table_path;
use crate::segment::SegmentError;
use crate::{LogSnapshot, Outgoing, PiecePlace};

/// The pieces of a checkpoint that is sent.
///
/// They are read through files that stay open: what a merge of tables or a newer checkpoint removes
/// meanwhile is only gone when nobody has it open, and nothing has to be put off. There are as many
/// as the index has tables, about twenty in a large one, and three more; sealed segments are never
/// removed, so they are opened as their turn comes.
#[derive(Debug)]
pub(crate) struct PiecesOut {
    checkpoints: Checkpoints,
    snapshot: LogSnapshot,
    pieces: Vec<Piece>,
    /// Those that may be removed, by number.
    held: Vec<Option<Opened>>,
    /// The segment that was read last.
    sealed: Option<(u32, Opened)>,
}

/// A file, or a part of one.
#[derive(Clone, Debug)]
struct Opened {
    file: Arc<dyn File>,
    path: PathBuf,
    /// Where in the file the piece begins.
    start: u64,
}

impl PiecesOut {
    /// What stands for the state before the first entry.
    pub(crate) fn none(checkpoints: Checkpoints, snapshot: LogSnapshot) -> Self {
        Self { checkpoints, snapshot, pieces: Vec::new(), held: Vec::new(), sealed: None }
    }

    /// Opens the pieces of `manifest`, which is of a checkpoint of this replica.
    ///
    /// # Errors
    /// When one of them is gone, or cannot be opened.
    pub(crate) fn open(
        checkpoints: Checkpoints,
        manifest: &Manifest,
    ) -> Result<Self, SegmentError> {
        let pieces = manifest.pieces();
        let mut held = Vec::new();
        for piece in &pieces {
            let opened = match piece {
                Piece::Sealed(_) => None,
                Piece::Tail(tail) => {
                    let path = segment_path(&checkpoints.history_dir(), tail.first);
                    Some(Opened::new(&checkpoints, path, 0)?)
                }
                Piece::Table(table) => {
                    let path = table_path(&checkpoints.index_dir(), table.name);
                    Some(Opened::new(&checkpoints, path, 0)?)
                }
                Piece::Engine(_) => {
                    let (path, start) = checkpoints.engine_at(manifest)?;
                    Some(Opened::new(&checkpoints, path, start)?)
                }
            };
            if let Some(opened) = &opened {
                opened.check(piece.length())?;
            }
            held.push(opened);
        }
        let snapshot = LogSnapshot { upto: Some(manifest.index), data: manifest.encode() };
        Ok(Self { checkpoints, snapshot, pieces, held, sealed: None })
    }

    fn opened(&mut self, number: u32, piece: &Piece) -> Result<Opened, SegmentError> {
        if let Some(Some(opened)) = self.held.get(number as usize) {
            return Ok(opened.clone());
        }
        if let Some((open, opened)) = &self.sealed
            && *open == number
        {
            return Ok(opened.clone());
        }
        let first = match piece {
            Piece::Sealed(sealed) => sealed.first,
            _ => 0,
        };
        let path = segment_path(&self.checkpoints.history_dir(), first);
        let opened = Opened::new(&self.checkpoints, path, 0)?;
        opened.check(piece.length())?;
        self.sealed = Some((number, opened.clone()));
        Ok(opened)
    }
}

impl Opened {
    fn new(checkpoints: &Checkpoints, path: PathBuf, start: u64) -> Result<Self, SegmentError> {
        let file = checkpoints.files().open(&path, Open::Read);
        Ok(Self { file: file.map_err(|error| SegmentError::io(&path, error))?, path, start })
    }

    /// # Errors
    /// When the file ends before the piece does.
    fn check(&self, length: u64) -> Result<(), SegmentError> {
        let len = self.file.len().map_err(|error| SegmentError::io(&self.path, error))?;
        if self.start.checked_add(length).is_some_and(|end| end <= len) {
            return Ok(());
        }
        Err(too_short(&self.path, len))
    }
}

#[cold]
fn too_short(path: &Path, at: u64) -> SegmentError {
    SegmentError::Damaged { path: path.to_owned(), at, what: "it ends before its checkpoint says" }
}

impl Outgoing for PiecesOut {
    fn snapshot(&self) -> &LogSnapshot {
        &self.snapshot
    }

    fn read(&mut self, from: PiecePlace, bytes: usize) -> Result<Bytes, Fault> {
        let PiecePlace { piece: number, offset } = from;
        let piece = self.pieces.get(number as usize).copied();
        let piece = piece.filter(|piece| offset <= piece.length()).ok_or_else(|| {
            Fault::new(FaultCode::Internal, format!("the snapshot has nothing at {from:?}"))
        })?;
        let Opened { file, path, start } = self.opened(number, &piece).map_err(storage_fault)?;
        let rest = usize::try_from(piece.length() - offset).unwrap_or(usize::MAX);
        let mut buffer = BytesMut::zeroed(bytes.min(rest));
        let read = file.read_at(&mut buffer, start + offset);
        read.map_err(|error| storage_fault(SegmentError::io(&path, error)))?;
        Ok(buffer.freeze())
    }

    fn doubt(&mut self, number: u32) {
        let Some(piece) = self.pieces.get(number as usize).copied() else { return };
        let (Piece::Sealed(Sealed { first, .. }) | Piece::Tail(TailEnd { first, .. })) = piece
        else {
            return;
        };
        let looked = self.opened(number, &piece).and_then(|Opened { file, path, .. }| {
            let all = (piece.length(), piece.length());
            Check::new(&piece, &Held::default()).advance(&file, &path, all)
        });
        if let (Err(error), Some(damage)) = (looked, self.checkpoints.options().damage)
            && error.is_loss()
        {
            damage.note(first, &error);
        }
    }
}
