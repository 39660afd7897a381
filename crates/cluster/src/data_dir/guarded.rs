use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use catga_host::{BoxFuture, File, Files, Lock, Open};

/// Files that only their holders use: the directory's lock ends with the last of them, so that
/// nobody else begins while a task of a node that was dropped still writes.
#[derive(Debug)]
pub(super) struct Guarded {
    files: Arc<dyn Files>,
    /// Taken when the node has stopped in order.
    lock: Mutex<Option<Lock>>,
}

impl Guarded {
    pub(super) fn new(files: Arc<dyn Files>, lock: Lock) -> Self {
        Self { files, lock: Mutex::new(Some(lock)) }
    }

    pub(super) fn release(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Files for Guarded {
    fn open(&self, path: &Path, open: Open) -> io::Result<Arc<dyn File>> {
        self.files.open(path, open)
    }

    fn create_dir(&self, path: &Path) -> BoxFuture<'_, io::Result<()>> {
        self.files.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.files.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> BoxFuture<'_, io::Result<()>> {
        self.files.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        self.files.lock(path)
    }

    fn space(&self, dir: &Path) -> io::Result<u64> {
        self.files.space(dir)
    }
}
