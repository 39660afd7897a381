use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catga_host::Files;

use super::ArchiveOptions;
use crate::segment::{FileKind, SegmentError, SegmentReader};

/// How the names of segments end.
const EXTENSION: &str = ".history";

/// How many sealed segments are held open for reading: a history of any length must not take up
/// the files that a process may have open.
const OPEN_MAX: usize = 64;

/// Where in `dir` the segment is whose first record has the offset `first`.
pub(crate) fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:016x}{EXTENSION}"))
}

/// What all values of one archive share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) files: Arc<dyn Files>,
    pub(super) dir: PathBuf,
    pub(super) options: ArchiveOptions,
    /// Sealed segments that were read lately, by their first offset; the latest last. The lock is
    /// held to look, never to read.
    open: Mutex<VecDeque<(u64, SegmentReader)>>,
}

impl Shared {
    pub(super) fn new(files: Arc<dyn Files>, dir: PathBuf, options: ArchiveOptions) -> Self {
        Self { files, dir, options, open: Mutex::default() }
    }

    /// Where the segment is whose first record has the offset `first`.
    pub(super) fn path(&self, first: u64) -> PathBuf {
        segment_path(&self.dir, first)
    }

    /// Opens the segment that begins with the offset `first`.
    pub(super) fn open(&self, first: u64) -> Result<SegmentReader, SegmentError> {
        let path = self.path(first);
        let reader = SegmentReader::open(&*self.files, &path, FileKind::History)?;
        if reader.head().first != first {
            let what = "it begins with another offset than its name says";
            return Err(SegmentError::Foreign { path, what });
        }
        Ok(reader)
    }

    /// Notes that the segment which begins with `first` is damaged, if the error says so and
    /// somebody mends it; false if not.
    pub(super) fn notes(&self, first: u64, error: &SegmentError) -> bool {
        let damage = self.options.damage.as_ref().filter(|_| error.is_damage());
        damage.map(|damage| damage.note(first, error)).is_some()
    }

    /// A sealed segment, which may be open already.
    pub(super) fn sealed(&self, first: u64) -> Result<SegmentReader, SegmentError> {
        if let Some((_, reader)) = self.lock_open().iter().rev().find(|(open, _)| *open == first) {
            return Ok(reader.clone());
        }
        let reader = self.open(first)?;
        let mut open = self.lock_open();
        if open.len() >= OPEN_MAX {
            open.pop_front();
        }
        open.push_back((first, reader.clone()));
        Ok(reader)
    }

    /// The first offsets of all segments in the directory, in order.
    pub(super) fn segments(&self) -> io::Result<Vec<u64>> {
        let names = self.files.list(&self.dir)?;
        let first = |name: &String| u64::from_str_radix(name.strip_suffix(EXTENSION)?, 16).ok();
        Ok(names.iter().filter_map(first).collect())
    }

    /// Removes a segment, if it is there.
    pub(super) fn remove(&self, first: u64) -> io::Result<()> {
        // Another file may get its name.
        self.lock_open().retain(|(open, _)| *open != first);
        match self.files.remove(&self.path(first)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn lock_open(&self) -> MutexGuard<'_, VecDeque<(u64, SegmentReader)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    pub(super) fn foreign(&self, what: &'static str) -> SegmentError {
        SegmentError::Foreign { path: self.dir.clone(), what }
    }
}
