use std::sync::Arc;

use catga_core::{Fault, FaultCode};
use catga_host::{BoxFuture, File, Files, Open};

use super::manifest::Piece;
use super::part::{Check, Part};
use super::staging::{Held, Staging};
use super::storage_fault;
use crate::segment::SegmentError;
use crate::{Incoming, PiecePlace};

/// How often a piece may turn out to be damaged before whoever sends it is told.
const STRIKES_MAX: u32 = 3;

/// How many bytes come before they are made durable, so that the end of a long piece does not bring
/// all of them at once, and a loss of power does not take them.
const SYNC_BYTES: u64 = 64 << 20;

/// The pieces of a snapshot that comes.
#[derive(Debug)]
pub(crate) struct PiecesIn {
    staging: Arc<Staging>,
    source: u64,
    pieces: Vec<Piece>,
    held: Held,
    /// All pieces before it are here.
    next: usize,
    /// Of that one.
    part: Option<Part>,
    strikes: u32,
}

impl PiecesIn {
    /// Nothing has to come.
    pub(super) fn complete(staging: Arc<Staging>, source: u64) -> Self {
        let (pieces, held) = (Vec::new(), Held::default());
        Self { staging, source, pieces, held, next: 0, part: None, strikes: 0 }
    }

    pub(super) async fn begin(
        staging: Arc<Staging>,
        source: u64,
        pieces: Vec<Piece>,
        held: Held,
    ) -> Result<Self, SegmentError> {
        let mut this = Self { pieces, held, ..Self::complete(staging, source) };
        this.seek().await?;
        Ok(this)
    }

    /// Goes to the next piece that is not here.
    async fn seek(&mut self) -> Result<(), SegmentError> {
        while let Some(piece) = self.pieces.get(self.next) {
            if self.held.has(piece) || self.staging.has(piece) {
                self.next += 1;
                continue;
            }
            let check = Check::new(piece, &self.held);
            let path = self.staging.dir().join(piece.part_name(self.source));
            let part = Part::open(&**self.staging.files(), path, check, piece.length())?;
            if !part.is_complete() {
                self.part = Some(part);
                return Ok(());
            }
            self.keep(part).await?;
        }
        Ok(())
    }

    /// Keeps a part that is all of its piece.
    async fn keep(&mut self, part: Part) -> Result<(), SegmentError> {
        let piece = self.pieces[self.next];
        part.sync().await?;
        self.staging.keep(&piece, part.path()).await?;
        self.strikes = 0;
        self.next += 1;
        Ok(())
    }

    async fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Some(mut part) = self.part.take() else { return Ok(()) };
        match part.push(bytes) {
            Ok(()) if part.is_complete() => {
                self.keep(part).await.map_err(storage_fault)?;
                self.seek().await.map_err(storage_fault)
            }
            Ok(()) => {
                if part.unsynced() >= SYNC_BYTES {
                    part.sync().await.map_err(storage_fault)?;
                    part.note_synced();
                }
                self.part = Some(part);
                Ok(())
            }
            Err(error @ SegmentError::Io { .. }) => Err(storage_fault(error)),
            Err(error) => self.again(part, error).await,
        }
    }

    /// Has a part that turned out to be damaged come again, at first from where it is not.
    async fn again(&mut self, part: Part, error: SegmentError) -> Result<(), Fault> {
        self.strikes += 1;
        tracing::warn!(%error, strikes = self.strikes, "a piece of a snapshot came damaged");
        if self.strikes == 1 {
            self.part = Some(part.cut().map_err(storage_fault)?);
            return Ok(());
        }
        part.discard(&**self.staging.files()).map_err(storage_fault)?;
        let is_last = self.strikes >= STRIKES_MAX;
        if is_last {
            self.strikes = 0;
        }
        self.seek().await.map_err(storage_fault)?;
        match is_last {
            true => Err(Fault::new(FaultCode::Unreadable, error.to_string())),
            false => Ok(()),
        }
    }
}

impl Incoming for PiecesIn {
    fn wanted(&self) -> Option<PiecePlace> {
        let piece = u32::try_from(self.next).ok().filter(|_| self.next < self.pieces.len())?;
        Some(PiecePlace { piece, offset: self.part.as_ref().map_or(0, Part::has) })
    }

    fn take<'a>(&'a mut self, at: PiecePlace, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let staging = Arc::clone(&self.staging);
            let _turn = staging.turn().await;
            if self.part.is_none() {
                // What was to be done with the last bytes failed.
                self.seek().await.map_err(storage_fault)?;
            }
            if self.wanted() != Some(at) || bytes.is_empty() {
                return Ok(());
            }
            self.push(bytes).await
        })
    }
}

/// Opens a file to be read and written, or makes it.
pub(super) fn open_or_create(
    files: &dyn Files,
    path: &std::path::Path,
) -> Result<Arc<dyn File>, SegmentError> {
    let opened = match files.open(path, Open::Write) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            files.open(path, Open::Create)
        }
        opened => opened,
    };
    opened.map_err(|error| SegmentError::io(path, error))
}
