use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::change::{Change, Node};
use super::counts::Counts;
use super::crash::Lost;
use super::fault::Fault;
use super::paths::absolute;
use super::platter::{Platter, refused};
use super::recording::Recording;
use super::state::State;
use crate::Trace;

/// The disk of a simulated machine: it outlives the processes that run there, loses at a
/// [crash](Self::crash) what nobody made durable, and can be full, slow or broken.
///
/// It keeps the contract of [`Files`](catga_host::Files) and no more: whatever the contract leaves
/// open, chance decides, as it follows from the seed. Clones are the same disk. Paths that are not
/// absolute begin at `/`, the only directory of a new disk; by convention data is in `/data`.
///
/// Syncs take time: that of tokio, which should be paused, and whose timers count whole
/// milliseconds.
///
/// ```
/// use std::path::Path;
///
/// use catga_host::{Files, Open};
/// use catga_testkit::disk::{Lost, SimDisk};
///
/// catga_testkit::block_on(async {
///     let disk = SimDisk::new(7);
///     let file = disk.open(Path::new("/wal"), Open::Create)?;
///     file.write_at(b"safe", 0)?;
///     file.sync().await?;
///     disk.sync_dir(Path::new("/")).await?;
///     file.write_at(b"lost", 4)?;
///     assert_eq!(disk.contents("/wal")?, b"safelost");
///     disk.crash_losing(Lost::All);
///     assert_eq!(disk.contents("/wal")?, b"safe");
///     assert!(file.len().is_err(), "it was opened before the crash");
///     std::io::Result::Ok(())
/// })
/// # .expect("a disk in order");
/// ```
#[derive(Clone)]
pub struct SimDisk {
    /// Locked for one call, which ends without waiting for anything.
    platter: Arc<Mutex<Platter>>,
}

impl SimDisk {
    /// An empty disk of 1 TiB, whose syncs take up to 3 ms. All that chance decides follows from
    /// `seed`.
    pub fn new(seed: u64) -> Self {
        let disk = Self::holding(State::default(), seed);
        disk.set_sync_time(Duration::from_micros(200)..=Duration::from_millis(3));
        disk
    }

    /// A disk whose syncs take no time.
    pub(super) fn holding(state: State, seed: u64) -> Self {
        Self { platter: Arc::new(Mutex::new(Platter::new(state, seed))) }
    }

    /// Loses power: what was synced is found again, and of the rest whatever chance decides, also
    /// parts of writes. What was open is dead, and locks are free.
    ///
    /// The tasks that use it should end at the same time:
    /// [`VirtualHost::power_cut`](crate::VirtualHost::power_cut) does both.
    pub fn crash(&self) {
        self.crash_losing(Lost::Some);
    }

    /// Stops as [`crash`](Self::crash) does, but says what is lost. With [`Lost::None`] only the
    /// process dies: the machine still has what was not synced, and may lose it later.
    pub fn crash_losing(&self, lost: Lost) {
        self.lock().stop(lost);
    }

    /// Puts an empty disk in its place. What was open is dead; the process that used it should have
    /// ended.
    pub fn wipe(&self) {
        self.lock().wipe();
    }

    /// From now on it has so many bytes, be they taken or free.
    pub fn set_capacity(&self, bytes: u64) {
        self.lock().capacity_bytes = bytes;
    }

    /// From now on nothing can be changed, or everything again. Syncs go on.
    pub fn set_read_only(&self, read_only: bool) {
        self.lock().read_only = read_only;
    }

    /// From now on a sync takes some time in this range. At zero none needs a runtime.
    pub fn set_sync_time(&self, range: RangeInclusive<Duration>) {
        self.lock().sync_time = range;
    }

    /// Makes calls fail. Several faults count their calls side by side.
    pub fn fail(&self, fault: Fault) {
        self.lock().faults.add(fault);
    }

    /// Takes back all faults whose calls have not come. What failed before stays lost.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    /// Turns one bit of the byte at `byte` over, in what is read and in what is durable, as a
    /// medium does that goes bad. Doing it again turns it back.
    ///
    /// # Errors
    /// `NotFound` if there is no such file; `UnexpectedEof` if it has no such byte.
    pub fn flip_bit(&self, path: impl AsRef<Path>, byte: u64) -> io::Result<()> {
        let path = absolute(path.as_ref());
        let mut platter = self.lock();
        let file = platter.file(&path)?;
        let content = platter.state.live.files.get(&file);
        if content.is_none_or(|content| content.len() <= byte) {
            return Err(refused(io::ErrorKind::UnexpectedEof, &path));
        }
        platter.counts.flips += 1;
        platter.perform(Change::Flipped { file, at: byte, mask: 1 << (byte % 8) });
        Ok(())
    }

    /// All files, in order, wherever they are.
    pub fn paths(&self) -> Vec<PathBuf> {
        let platter = self.lock();
        let names = platter.state.live.names.iter();
        let files = names.filter(|(_, node)| matches!(node, Node::File(_)));
        files.map(|(path, _)| path.to_path_buf()).collect()
    }

    /// All that a file holds, as a reader would find it; no fault comes in between.
    ///
    /// # Errors
    /// `NotFound` if there is no such file, `IsADirectory` if it is none.
    pub fn contents(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let path = absolute(path.as_ref());
        let platter = self.lock();
        let file = platter.file(&path)?;
        let content = platter.state.live.files.get(&file);
        let len = content.map_or(0, super::content::Content::len);
        let too_long = |_| refused(io::ErrorKind::OutOfMemory, &path);
        let mut bytes = vec![0; usize::try_from(len).map_err(too_long)?];
        let whole = content.is_some_and(|content| content.read(&mut bytes, 0));
        debug_assert!(whole, "a named file has a content of its own length");
        Ok(bytes)
    }

    /// How many bytes are taken: in whole blocks, written or reserved.
    pub fn used_bytes(&self) -> u64 {
        self.lock().state.live.used_bytes()
    }

    /// How many times files are open: handles that the process has not let go of.
    pub fn open_files(&self) -> usize {
        self.lock().open.values().sum()
    }

    /// A hash of all names and contents as they are read. To be compared within one build.
    pub fn digest(&self) -> u64 {
        self.lock().state.digest()
    }

    /// True if a loss of power would change nothing that counts: everything was synced, or was
    /// given up by a sync that failed.
    pub fn is_durable(&self) -> bool {
        self.lock().state.is_durable()
    }

    /// What it went through.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Where it notes what happens to it.
    pub fn trace(&self) -> Trace {
        self.lock().trace.clone()
    }

    /// Notes from now on into `trace`: one that several machines share, say.
    pub fn set_trace(&self, trace: Trace) {
        self.lock().trace = trace;
    }

    /// Records from now on what happens to it, for
    /// [`CrashStates`](super::CrashStates). A recording before is dropped.
    pub fn record(&self) {
        let mut platter = self.lock();
        platter.recording = Some(Recording::of(platter.state.clone()));
    }

    /// How many changes were recorded: after a promise was made, the number from which on it must
    /// be kept. Zero while nothing is recorded.
    pub fn recorded(&self) -> usize {
        self.lock().recording.as_ref().map_or(0, Recording::len)
    }

    /// What was recorded so far; the recording goes on. None unless [`record`](Self::record) was
    /// called.
    pub fn recording(&self) -> Option<Recording> {
        self.lock().recording.clone()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk")
            .field("files", &self.paths().len())
            .field("used_bytes", &self.used_bytes())
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
