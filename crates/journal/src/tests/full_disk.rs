//! The machine's own files, on a disk that has only so much room.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use catga_host::{BoxFuture, Disk, File, Files, Lock, Open};

/// A disk that takes so many bytes more.
#[derive(Debug)]
pub(crate) struct FullDisk(Arc<AtomicU64>);

impl FullDisk {
    pub(crate) fn new(room: u64) -> Self {
        Self(Arc::new(AtomicU64::new(room)))
    }

    /// From now on it takes `bytes` bytes.
    pub(crate) fn set_room(&self, bytes: u64) {
        self.0.store(bytes, Ordering::SeqCst);
    }
}

impl Files for FullDisk {
    fn open(&self, path: &Path, open: Open) -> io::Result<Arc<dyn File>> {
        let file = Disk.open(path, open)?;
        Ok(Arc::new(FullDiskFile { file, room: Arc::clone(&self.0) }))
    }

    fn create_dir(&self, path: &Path) -> BoxFuture<'_, io::Result<()>> {
        Disk.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        Disk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> BoxFuture<'_, io::Result<()>> {
        Disk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        Disk.lock(path)
    }

    fn space(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Debug)]
struct FullDiskFile {
    file: Arc<dyn File>,
    room: Arc<AtomicU64>,
}

impl FullDiskFile {
    fn take(&self, upto: u64) -> io::Result<()> {
        let more = upto.saturating_sub(self.file.len()?);
        let taken = |room: u64| room.checked_sub(more);
        let taken = self.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, taken);
        taken.map(|_| ()).map_err(|_| io::ErrorKind::StorageFull.into())
    }
}

impl File for FullDiskFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.take(offset + data.len() as u64) {
            // As a real disk does, it takes a part.
            self.file.write_at(&data[..data.len() / 2], offset)?;
            return Err(error);
        }
        self.file.write_at(data, offset)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.take(len)?;
        self.file.allocate(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> BoxFuture<'_, io::Result<()>> {
        self.file.sync()
    }
}
