use std::io;
use std::path::Path;
use std::sync::{Arc, MutexGuard};

use catga_host::{BoxFuture, File};

use super::change::{Change, ContentChange, FileId};
use super::content::Content;
use super::fault::Call;
use super::platter::{Platter, refused};
use super::sim_disk::SimDisk;
use super::syncing::Target;

/// An open file of a [`SimDisk`], until the process that opened it ends.
#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) file: FileId,
    /// The name that it was opened under; it may have another one by now.
    pub(super) path: Arc<Path>,
    pub(super) life: u64,
    pub(super) writable: bool,
}

impl SimFile {
    fn platter(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let platter = self.disk.lock();
        platter.check_life(self.life, &self.path)?;
        Ok(platter)
    }

    fn platter_to_change(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let platter = self.platter()?;
        if !self.writable {
            return Err(refused(io::ErrorKind::PermissionDenied, &self.path));
        }
        platter.check_writable()?;
        Ok(platter)
    }

    fn content<'a>(&self, platter: &'a Platter) -> io::Result<&'a Content> {
        let content = platter.state.live.files.get(&self.file);
        content.ok_or_else(|| refused(io::ErrorKind::NotFound, &self.path))
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content(&*self.platter()?)?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut platter = self.platter()?;
        platter.check_fault(Call::Read, &self.path)?;
        if self.content(&platter)?.read(buffer, offset) {
            Ok(())
        } else {
            Err(refused(io::ErrorKind::UnexpectedEof, &self.path))
        }
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.platter_to_change()?.write(self.file, &self.path, data, offset)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut platter = self.platter_to_change()?;
        platter.check_fault(Call::Resize, &self.path)?;
        let free = platter.free_bytes();
        let content = self.content(&platter)?;
        let missing = content.missing_bytes(len);
        if missing > free {
            return Err(platter.full(&self.path));
        }
        if missing > 0 || content.len() < len {
            platter.perform(Change::Content(self.file, ContentChange::Allocate(len)));
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.platter_to_change()?;
        platter.check_fault(Call::Resize, &self.path)?;
        if self.content(&platter)?.len() != len {
            platter.perform(Change::Content(self.file, ContentChange::SetLen(len)));
        }
        Ok(())
    }

    fn sync(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let syncing = {
                let mut platter = self.platter()?;
                let fails = platter.check_fault(Call::Sync, &self.path).err();
                platter.begin_sync(&self.disk, Target::File(self.file), fails)
            };
            syncing.end(&self.path).await
        })
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut platter = self.disk.lock();
        if platter.life != self.life {
            return;
        }
        if let Some(open) = platter.open.get_mut(&self.file) {
            *open -= 1;
            if *open == 0 {
                platter.open.remove(&self.file);
                platter.state.collect(self.file);
            }
        }
    }
}
