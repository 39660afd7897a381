use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use catga_host::Files;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::ArchiveOptions;
use crate::segment::{FileKind, SegmentError, SegmentReader};

/// How the names of segments end.
const EXTENSION: &str = ".history";

/// How many sealed segments are held open for reading: a history of any length must not take up
/// the files that a process may have open.
const OPEN_MAX: usize = 64;

/// How many frames of places are kept, of 2 KiB each: those of half a million records.
const PLACES_KEPT: usize = 1024;

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
    /// Places of records of sealed segments that were asked for lately, by the first one's offset.
    places: Cache<u64, Bytes, UnitWeighter, Hasher>,
}

/// Without chance: a simulated run is decided by its seed.
type Hasher = BuildHasherDefault<DefaultHasher>;

impl Shared {
    pub(super) fn new(files: Arc<dyn Files>, dir: PathBuf, options: ArchiveOptions) -> Self {
        let (kept, hasher) = (PLACES_KEPT as u64, Hasher::default());
        let lifecycle = DefaultLifecycle::default();
        let places = Cache::with(PLACES_KEPT, kept, UnitWeighter, hasher, lifecycle);
        Self { files, dir, options, open: Mutex::default(), places }
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

    /// Notes that the segment which begins with `first` is lost, if the error of a read says so and
    /// somebody mends it; false if not.
    pub(super) fn notes(&self, first: u64, error: &SegmentError) -> bool {
        let damage = self.options.damage.as_ref().filter(|_| error.is_loss());
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

    /// The frame of places that begins with those of the record at `first`, which may be known.
    pub(super) fn places(
        &self,
        first: u64,
        read: impl FnOnce() -> Result<Bytes, SegmentError>,
    ) -> Result<Bytes, SegmentError> {
        if let Some(known) = self.places.get(&first) {
            return Ok(known);
        }
        let places = read()?;
        self.places.insert(first, places.clone());
        Ok(places)
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
        self.places.clear();
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
