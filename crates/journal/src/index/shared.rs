use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catga_host::Files;

use super::merge::Merge;
use super::{Options, TableName};
use crate::segment::SegmentError;

/// How the names of tables end.
const EXTENSION: &str = ".index";

/// How the names of tables end that were found damaged.
const ASIDE: &str = ".damaged";

/// Where in `dir` the table called `name` is.
pub(crate) fn table_path(dir: &Path, name: TableName) -> PathBuf {
    dir.join(format!("{:016x}{EXTENSION}", name.0))
}

/// What all values of one index share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) files: Arc<dyn Files>,
    pub(super) dir: PathBuf,
    pub(super) options: Options,
    /// The number of the next table. Above those of all files that were there at the beginning, so
    /// that no table gets the name of one that a checkpoint may name.
    next: AtomicU64,
    /// The merge that goes on with the next change. The lock is held to take it or to put it back.
    running: Mutex<Running>,
}

/// A merge between two changes.
#[derive(Debug, Default)]
struct Running {
    merge: Option<Merge>,
    /// The table that it writes, also while somebody has taken it.
    output: Option<TableName>,
}

impl Shared {
    pub(super) fn new(
        files: Arc<dyn Files>,
        dir: PathBuf,
        options: Options,
    ) -> Result<Self, SegmentError> {
        let names = match files.list(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names.map_err(|error| SegmentError::io(&dir, error))?,
        };
        let last = names.iter().filter_map(|name| number(name)).max();
        let next = AtomicU64::new(last.map_or(1, |last| last + 1));
        Ok(Self { files, dir, options, next, running: Mutex::default() })
    }

    /// Where the table called `name` is.
    pub(super) fn path(&self, name: TableName) -> PathBuf {
        table_path(&self.dir, name)
    }

    /// A name that no table has or had.
    pub(super) fn fresh(&self) -> TableName {
        // Only that each is given once counts; no other memory goes with it.
        TableName(self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn take_running(&self) -> Option<Merge> {
        self.lock().merge.take()
    }

    pub(super) fn set_running(&self, merge: Option<Merge>) {
        let mut running = self.lock();
        running.output = merge.as_ref().map(Merge::output);
        running.merge = merge;
    }

    /// Notes a damaged table, so that a restart does not trust it again: takes its name away.
    /// Gives back the error.
    ///
    /// Whoever has it open reads on. The name need not be durable: after a loss of power the
    /// damage is found again, as it was this time.
    #[cold]
    pub(super) fn put_aside(&self, error: SegmentError) -> SegmentError {
        if let SegmentError::Damaged { path, .. } = &error {
            let mut aside = path.clone().into_os_string();
            aside.push(ASIDE);
            let renamed = self.files.rename(path, aside.as_ref());
            let noted = renamed.is_ok();
            tracing::error!(%error, noted, "the index must be made anew at the next start");
        }
        error
    }

    pub(super) fn remove_others(&self, keep: &[TableName]) -> io::Result<()> {
        let output = self.lock().output;
        for name in self.files.list(&self.dir)? {
            let Some(number) = number(&name).map(TableName) else { continue };
            let is_kept = name.ends_with(EXTENSION) && keep.contains(&number);
            if !is_kept && output != Some(number) {
                self.files.remove(&self.dir.join(name))?;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number in the name of a table, also of one that was put aside.
pub(super) fn number(name: &str) -> Option<u64> {
    let name = name.strip_suffix(ASIDE).unwrap_or(name);
    u64::from_str_radix(name.strip_suffix(EXTENSION)?, 16).ok()
}
