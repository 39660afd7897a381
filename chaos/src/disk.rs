use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use crate::command::call;

/// A disk of its own for one node: an ext4 file system in a file, through a loop device.
///
/// Its power can be cut: the file is what would be on the disk then, without anything that was only
/// written and not synced. Unmounted when dropped; the file stays.
#[derive(Debug)]
pub(crate) struct Disk {
    at: PathBuf,
    image: PathBuf,
    /// How often its power was cut.
    cuts: u32,
}

/// Enough for all of a run, and soon full.
const BYTES: u64 = 1 << 28;

impl Disk {
    /// A disk whose content is at `at`.
    ///
    /// # Errors
    /// When this process may not make one: why.
    pub(crate) fn create(at: &Path) -> Result<Self, String> {
        let image = at.with_extension("image");
        let made = || {
            fs::create_dir_all(at)?;
            OpenOptions::new().write(true).create_new(true).open(&image)?.set_len(BYTES)
        };
        made().map_err(|error| format!("{}: {error}", image.display()))?;
        // Without room kept for root: a full disk is full for everybody.
        let format = ["-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1"];
        call("mkfs.ext4", format.map(AsRef::as_ref).iter().copied().chain([image.as_os_str()]))?;
        let disk = Self { at: at.to_owned(), image, cuts: 0 };
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> Result<(), String> {
        call("mount", ["-o".as_ref(), "loop".as_ref(), self.image.as_os_str(), self.at.as_os_str()])
    }

    /// The disk as it is when its power goes now, and comes back. Nobody may use it.
    ///
    /// The file is copied while the old file system is still mounted: to unmount it would write
    /// everything that was not synced. What the kernel writes by itself meanwhile may be in the copy
    /// or not, as with any power cut.
    pub(crate) fn cut_power(&mut self) -> Result<(), String> {
        self.cuts += 1;
        let name = format!("image{}", self.cuts);
        let (old, new) = (self.image.clone(), self.at.with_extension(name));
        call("cp", ["--sparse=always".as_ref(), old.as_os_str(), new.as_os_str()])?;
        call("umount", [&self.at])?;
        self.image = new;
        self.mount()?;
        fs::remove_file(&old).map_err(|error| format!("{}: {error}", old.display()))
    }

    /// Leaves no more than `left` bytes of room.
    pub(crate) fn fill(&self, left: u64) -> Result<(), String> {
        let ballast = self.ballast();
        let filled = || {
            if !is_mounted(&self.at)? {
                return Err(std::io::Error::other(
                    "not mounted: it would fill the machine's own disk",
                ));
            }
            let room = statvfs(&self.at)?;
            let free = (room.f_bavail * room.f_frsize).saturating_sub(left);
            let file = OpenOptions::new().write(true).create(true).truncate(true).open(&ballast)?;
            match fallocate(&file, FallocateFlags::empty(), 0, free.max(1)) {
                // The node has taken some of it meanwhile.
                Err(Errno::NOSPC) => Ok(()),
                filled => filled.map_err(std::io::Error::from),
            }
        };
        filled().map_err(|error| format!("{}: {error}", ballast.display()))
    }

    /// Gives the room back, for good: what is removed and not synced comes back after a power cut.
    pub(crate) fn free(&self) -> Result<(), String> {
        match fs::remove_file(self.ballast()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| sync(&self.at)).map_err(|error| error.to_string()),
        }
    }

    /// Unmounts it and removes its file: nobody needs what is on it.
    pub(crate) fn discard(self) {
        let image = self.image.clone();
        drop(self);
        let _ = fs::remove_file(image);
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }
}

/// Has a directory keep what it holds, and what it does not hold any more, when the power is cut.
pub(crate) fn sync(dir: &Path) -> std::io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// Whether what is there is another file system than what it stands in.
fn is_mounted(at: &Path) -> std::io::Result<bool> {
    let above = at.parent().unwrap_or(at);
    Ok(fs::metadata(at)?.dev() != fs::metadata(above)?.dev())
}

/// The file that says whose run a directory is.
const PID: &str = "harness.pid";

/// Says in a run's directory that it is this process's, and unmounts what runs beside it have left
/// that were killed.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn claim(dir: &Path) -> std::io::Result<()> {
    fs::write(dir.join(PID), std::process::id().to_string())?;
    let (Some(runs), Ok(mounts)) = (dir.parent(), fs::read_to_string("/proc/self/mounts")) else {
        return Ok(());
    };
    for at in mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new) {
        let Some(run) = at.parent().filter(|run| run.parent() == Some(runs)) else { continue };
        let pid = fs::read_to_string(run.join(PID)).unwrap_or_default();
        if !pid.is_empty() && !fs::exists(format!("/proc/{pid}")).unwrap_or(true) {
            let _ = call("umount", ["-l".as_ref(), at.as_os_str()]);
        }
    }
    Ok(())
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps what is left of it.
        let _ = call("umount", ["-l".as_ref(), self.at.as_os_str()]);
    }
}

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "a test that cannot do its work here says so")]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_was_not_synced_goes_with_the_power() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = dir.path().join("disk");
        let mut disk = match Disk::create(&at) {
            Ok(disk) => disk,
            Err(why) => return eprintln!("no disks here: {why}"),
        };
        let path = at.join("file");
        let mut file = fs::File::create(&path).expect("a file");
        file.write_all(b"synced").expect("written");
        file.sync_all().expect("synced");
        fs::File::open(&at).expect("the directory").sync_all().expect("synced");
        file.write_all(b", and not").expect("written");
        drop(file);
        disk.cut_power().expect("cut");
        assert_eq!(fs::read(&path).expect("it is there"), b"synced");
        disk.fill(4096).expect("filled");
        sync(&at).expect("synced");
        assert!(fs::write(at.join("more"), vec![1; 1 << 20]).is_err(), "there is no room");
        disk.free().expect("freed");
        disk.cut_power().expect("cut");
        fs::write(at.join("more"), vec![1; 1 << 20]).expect("there is room");
        let unmounted = Disk { at: dir.path().join("bare"), image: disk.image.clone(), cuts: 0 };
        fs::create_dir(&unmounted.at).expect("a directory");
        let refused = unmounted.fill(4096).expect_err("it is the machine's own disk");
        assert!(refused.contains("not mounted"), "{refused}");
        disk.discard();
        assert!(fs::read_dir(&at).expect("empty").next().is_none());
    }
}
