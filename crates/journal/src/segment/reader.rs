use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use catga_host::{File, Files, Open};

use super::frame::{ALIGN, FRAME_BYTES, FrameHead, checksum};
use super::head::{HEAD_BYTES, NoHead};
use super::{FileKind, Frame, FrameKind, Head, Scan, SegmentError};
use crate::planted::Planted;

/// What is reserved for a frame without asking how long its file is, which is a call of its own.
const UNASKED_BYTES: usize = 64 << 10;

/// A file of frames, to be read.
#[derive(Clone, Debug)]
pub struct SegmentReader {
    pub(super) file: Arc<dyn File>,
    pub(super) path: Arc<PathBuf>,
    pub(super) head: Head,
}

impl SegmentReader {
    /// Opens the file at `path`, which must be of `kind`.
    ///
    /// # Errors
    /// When it cannot be read, is damaged at its head, or is something else.
    pub fn open(files: &dyn Files, path: &Path, kind: FileKind) -> Result<Self, SegmentError> {
        let opened = files.open(path, Open::Read);
        Self::of(opened.map_err(|error| SegmentError::io(path, error))?, path, kind)
    }

    /// The reader of an open file.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of(file: Arc<dyn File>, path: &Path, kind: FileKind) -> Result<Self, SegmentError> {
        let mut bytes = [0; HEAD_BYTES];
        let damaged = |what| SegmentError::Damaged { path: path.to_owned(), at: 0, what };
        match file.read_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(damaged("it is shorter than a head"));
            }
            Err(error) => return Err(SegmentError::io(path, error)),
        }
        let head = Head::decode(&bytes).map_err(|error| match error {
            NoHead::Damaged(what) => damaged(what),
            NoHead::Format(found) => SegmentError::Format { path: path.to_owned(), found },
        })?;
        if head.kind != kind {
            let what = "it is a file of another kind";
            return Err(SegmentError::Foreign { path: path.to_owned(), what });
        }
        Ok(Self { file, path: Arc::new(path.to_owned()), head })
    }

    pub(super) fn new(file: Arc<dyn File>, path: Arc<PathBuf>, head: Head) -> Self {
        Self { file, path, head }
    }

    /// What stands at the beginning.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Which file it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The first frame's place.
    pub fn start(&self) -> u64 {
        HEAD_BYTES as u64
    }

    /// The frame that begins at `at`.
    ///
    /// # Errors
    /// When it cannot be read, or none begins there whose checksum is right.
    pub fn read(&self, at: u64) -> Result<Frame, SegmentError> {
        let mut head = [0; FRAME_BYTES];
        self.fill(&mut head, at)?;
        let found = FrameHead::decode(&head).filter(|head| head.is_at(at));
        let Some(found) = found else {
            return Err(self.damaged(at, "no frame begins there"));
        };
        let whole = FRAME_BYTES + found.len as usize;
        // Nothing is reserved for a length that is damage.
        if whole > UNASKED_BYTES && at.saturating_add(whole as u64) > self.len()? {
            return Err(self.damaged(at, "a frame is longer than what is left of the file"));
        }
        let mut bytes = vec![0; whole];
        self.fill(&mut bytes, at)?;
        self.parse(at, &Bytes::from(bytes))
    }

    /// The frame that begins at `at`, for who knows that it ends within `bytes` bytes: read in one
    /// piece.
    ///
    /// # Errors
    /// As [`read`](Self::read); also when the file ends within those bytes.
    pub(crate) fn read_within(&self, at: u64, bytes: usize) -> Result<Frame, SegmentError> {
        let mut read = vec![0; bytes];
        self.fill(&mut read, at)?;
        self.parse(at, &Bytes::from(read))
    }

    /// How long the file is.
    ///
    /// # Errors
    /// When the machine does not say.
    pub(crate) fn len(&self) -> Result<u64, SegmentError> {
        self.file.len().map_err(|error| SegmentError::io(&self.path, error))
    }

    /// The frame at the beginning of `bytes`, which stand at `at` in the file.
    pub(super) fn parse(&self, at: u64, bytes: &Bytes) -> Result<Frame, SegmentError> {
        let found = FrameHead::decode(bytes).filter(|head| head.is_at(at));
        let Some(head) = found else {
            return Err(self.damaged(at, "no frame begins there"));
        };
        let end = FRAME_BYTES + head.len as usize;
        let Some(rest) = bytes.get(4..end) else {
            return Err(self.damaged(at, "a frame is cut off"));
        };
        let right = checksum(self.head.salt, rest) == head.checksum;
        if !right && !Planted::TornTailAccepted.is_here() {
            return Err(self.damaged(at, "the checksum of a frame differs"));
        }
        let payload = bytes.slice(FRAME_BYTES..end);
        Ok(Frame { kind: FrameKind(head.kind), position: head.position, at, payload })
    }

    /// All frames from the first on.
    pub fn scan(&self) -> Scan {
        self.scan_from(self.start())
    }

    /// All frames from the one that begins at `at` on.
    pub fn scan_from(&self, at: u64) -> Scan {
        Scan::new(self.clone(), at)
    }

    /// The frames from the one that begins at `at` on, as if the file ended at `end`: what stands
    /// behind is not looked at, since somebody may be writing or cutting there.
    pub(crate) fn scan_between(&self, at: u64, end: u64) -> Scan {
        Scan::between(self.clone(), at, end)
    }

    /// The frames from the one that begins at `at` on that are whole while the file still comes, and
    /// has `has` bytes.
    pub(crate) fn scan_so_far(&self, at: u64, has: u64) -> Scan {
        // What is not whole with what fills it up has not come.
        let whole = has - has % ALIGN;
        self.scan_between(at.max(self.start()), whole.max(self.start()))
    }

    pub(super) fn fill(&self, bytes: &mut [u8], at: u64) -> Result<(), SegmentError> {
        self.file.read_at(bytes, at).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.damaged(at, "the file ends there"),
            _ => SegmentError::io(&self.path, error),
        })
    }

    pub(crate) fn damaged(&self, at: u64, what: &'static str) -> SegmentError {
        SegmentError::Damaged { path: self.path.to_path_buf(), at, what }
    }
}
