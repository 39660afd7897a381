use std::io;
use std::path::Path;
use std::sync::Arc;

use catga_host::{BoxFuture, File, Files, Lock, Open};

use super::change::{Change, NameChange, Node};
use super::fault::Call;
use super::paths::{absolute, dir_of};
use super::platter::refused;
use super::sim_disk::SimDisk;
use super::sim_file::SimFile;
use super::syncing::Target;

impl Files for SimDisk {
    fn open(&self, path: &Path, open: Open) -> io::Result<Arc<dyn File>> {
        let path = absolute(path);
        let mut platter = self.lock();
        platter.check_fault(Call::Open, &path)?;
        let writable = match open {
            Open::Read => false,
            Open::Write | Open::Create => true,
            other => {
                let what = format!("the simulated disk knows no {other:?}");
                return Err(io::Error::new(io::ErrorKind::Unsupported, what));
            }
        };
        let file = match open {
            Open::Create => platter.create(&path)?,
            _ => platter.file(&path)?,
        };
        if writable {
            platter.check_writable()?;
        }
        *platter.open.entry(file).or_default() += 1;
        let life = platter.life;
        drop(platter);
        Ok(Arc::new(SimFile { disk: self.clone(), file, path, life, writable }))
    }

    fn create_dir(&self, path: &Path) -> BoxFuture<'_, io::Result<()>> {
        let path = absolute(path);
        Box::pin(async move {
            let syncing = {
                let mut platter = self.lock();
                platter.check_fault(Call::CreateDir, &path)?;
                let mut missing = Vec::new();
                for dir in path.ancestors() {
                    match platter.state.live.node(dir) {
                        Some(Node::Dir) => break,
                        Some(Node::File(_)) if dir == &*path => {
                            return Err(refused(io::ErrorKind::AlreadyExists, dir));
                        }
                        Some(Node::File(_)) => {
                            return Err(refused(io::ErrorKind::NotADirectory, dir));
                        }
                        None => missing.push(dir),
                    }
                }
                if !missing.is_empty() {
                    platter.check_writable()?;
                }
                for dir in missing.into_iter().rev() {
                    platter.perform(Change::Name(NameChange::MakeDir { path: dir.into() }));
                }
                platter.begin_sync(self, Target::Made(Arc::clone(&path)), None)
            };
            syncing.end(&path).await
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let dir = absolute(dir);
        let mut platter = self.lock();
        platter.check_fault(Call::List, &dir)?;
        platter.check_dir(&dir)?;
        let paths = platter.state.live.names.keys();
        let within = paths.filter(|path| path.parent() == Some(&*dir));
        let names = within.filter_map(|path| path.file_name());
        let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (absolute(from), absolute(to));
        let mut platter = self.lock();
        platter.check_fault(Call::Rename, &from)?;
        platter.check_writable()?;
        let file = platter.file(&from)?;
        platter.check_dir(dir_of(&to))?;
        if platter.state.live.node(&to) == Some(Node::Dir) {
            return Err(refused(io::ErrorKind::IsADirectory, &to));
        }
        if from != to {
            platter.perform(Change::Name(NameChange::Rename { from, to, file }));
            platter.sweep();
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = absolute(path);
        let mut platter = self.lock();
        platter.check_fault(Call::Remove, &path)?;
        platter.check_writable()?;
        platter.file(&path)?;
        platter.perform(Change::Name(NameChange::Remove { path }));
        platter.sweep();
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> BoxFuture<'_, io::Result<()>> {
        let dir = absolute(dir);
        Box::pin(async move {
            let syncing = {
                let mut platter = self.lock();
                platter.check_dir(&dir)?;
                let fails = platter.check_fault(Call::SyncDir, &dir).err();
                platter.begin_sync(self, Target::Dir(Arc::clone(&dir)), fails)
            };
            syncing.end(&dir).await
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let path = absolute(path);
        let mut platter = Self::lock(self);
        platter.check_fault(Call::Open, &path)?;
        match platter.state.live.node(&path) {
            None => _ = platter.create(&path)?,
            Some(Node::File(_)) => platter.check_writable()?,
            Some(Node::Dir) => return Err(refused(io::ErrorKind::IsADirectory, &path)),
        }
        if platter.locks.contains_key(&path) {
            return Err(refused(io::ErrorKind::WouldBlock, &path));
        }
        platter.locks_taken += 1;
        let number = platter.locks_taken;
        platter.locks.insert(Arc::clone(&path), number);
        drop(platter);
        Ok(Lock::new(Held { disk: self.clone(), path, number }))
    }

    fn space(&self, dir: &Path) -> io::Result<u64> {
        let platter = Self::lock(self);
        platter.check_dir(&absolute(dir))?;
        Ok(platter.free_bytes())
    }
}

/// A lock, for as long as no crash frees it.
struct Held {
    disk: SimDisk,
    path: Arc<Path>,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut platter = SimDisk::lock(&self.disk);
        if platter.locks.get(&self.path) == Some(&self.number) {
            platter.locks.remove(&self.path);
        }
    }
}
