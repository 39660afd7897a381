use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::{BoxFuture, File, Files, Lock, Open};

/// The files of the machine itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn open(&self, path: &Path, open: Open) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        match open {
            Open::Read => {}
            Open::Write => _ = options.write(true),
            Open::Create => _ = options.write(true).create_new(true),
        }
        Ok(Arc::new(DiskFile(options.open(path)?)))
    }

    fn create_dir(&self, path: &Path) -> BoxFuture<'_, io::Result<()>> {
        let path = path.to_owned();
        Box::pin(async move {
            let mut made = Vec::new();
            let mut missing = path.as_path();
            while !missing.as_os_str().is_empty() && !missing.exists() {
                made.push(missing);
                missing = missing.parent().unwrap_or(Path::new(""));
            }
            fs::create_dir_all(&path)?;
            // A name is kept by the directory that it stands in.
            for dir in made {
                sync_dir(dir.parent().unwrap_or(Path::new("")))?;
            }
            Ok(())
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> BoxFuture<'_, io::Result<()>> {
        let dir = dir.to_owned();
        Box::pin(async move { sync_dir(&dir) })
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(path)?;
        file.try_lock()?;
        Ok(Lock::new(file))
    }

    fn space(&self, dir: &Path) -> io::Result<u64> {
        let free = statvfs(dir)?;
        Ok(free.f_bavail.saturating_mul(free.f_frsize))
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    fs::File::open(dir)?.sync_all()
}

#[derive(Debug)]
struct DiskFile(fs::File);

impl File for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        match fallocate(&self.0, FallocateFlags::empty(), 0, len) {
            Ok(()) => Ok(()),
            // A file system that cannot reserve: then at least the length is right, and a write
            // that finds no room fails as it would have anyway.
            Err(rustix::io::Errno::OPNOTSUPP) if self.len()? < len => self.0.set_len(len),
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async { self.0.sync_data() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_written_read_renamed_and_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let deep = dir.path().join("a/b");
        Disk.create_dir(&deep).await.expect("made");
        Disk.create_dir(&deep).await.expect("is there already");
        let (one, two) = (deep.join("one"), deep.join("two"));
        let file = Disk.open(&one, Open::Create).expect("new");
        assert_eq!(
            Disk.open(&one, Open::Create).expect_err("is there").kind(),
            io::ErrorKind::AlreadyExists
        );
        file.allocate(8192).expect("room");
        file.write_at(b"there", 4096).expect("written");
        file.sync().await.expect("durable");
        Disk.rename(&one, &two).expect("renamed");
        Disk.sync_dir(&deep).await.expect("durable");
        let mut read = [1; 6];
        let again = Disk.open(&two, Open::Read).expect("is there");
        again.read_at(&mut read, 4095).expect("read");
        assert_eq!((&read, again.len().expect("a length")), (b"\0there", 8192));
        let beyond = again.read_at(&mut read, 8190).expect_err("it ends");
        assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(Disk.list(&deep).expect("names"), ["two"]);
        assert!(Disk.space(&deep).expect("a number") > 0);
        Disk.remove(&two).expect("removed");
        assert_eq!(Disk.open(&two, Open::Read).expect_err("gone").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_lock_has_one_holder() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let held = Disk.lock(&path).expect("free");
        assert_eq!(Disk.lock(&path).expect_err("held").kind(), io::ErrorKind::WouldBlock);
        drop(held);
        Disk.lock(&path).expect("free again");
    }
}
