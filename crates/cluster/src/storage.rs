//! openraft's log on segment files.
//!
//! One task owns the files and writes everything in one order: entries, votes, truncations and
//! purges. It takes what waits, writes it in one piece, syncs once, and then tells everybody. So a
//! vote never becomes durable before an entry that came before it.

mod entries;
mod error;
mod flush;
mod records;
mod recover;
mod segments;
mod snapshots;

#[cfg(test)]
mod fuzz;

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catga_host::{Files, Host, Task};
use openraft::alias::EntryOf;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use tokio::sync::{mpsc, oneshot};

use self::entries::Entries;
use self::flush::Job;
use crate::{LogId, TypeConfig, Vote};

pub use self::error::StorageError;
pub(crate) use self::recover::read_entries;
pub use self::recover::verify_log;
pub(crate) use self::snapshots::verify_snapshots;
pub use self::snapshots::{SnapshotError, SnapshotFiles};

/// How long until a disk without room is asked again.
const ROOM_WAIT: Duration = Duration::from_millis(500);

/// How a [`LogStorage`] is set up.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StorageOptions {
    /// How long a segment file is, in bytes.
    pub segment_bytes: u64,
    /// How many bytes of the newest entries stay in memory; older ones are read from their files.
    pub cached_bytes: usize,
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, cached_bytes: 16 << 20 }
    }
}

/// The log of one node on its disk.
#[derive(Clone, Debug)]
pub struct LogStorage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    shared: Arc<Shared>,
    /// In the order in which everything becomes durable. Bounded by what openraft has in flight.
    jobs: mpsc::UnboundedSender<Job>,
    /// The task that writes.
    _task: Mutex<Task>,
}

/// What readers and the task that writes share.
#[derive(Debug)]
struct Shared {
    /// Locked for a look or a change, never while anything waits for the disk, apart from reads of
    /// entries that are no longer in memory.
    entries: Mutex<Entries>,
    /// The disk had no room for the next segment.
    full: AtomicBool,
    /// Whoever waits for room gives up.
    ending: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogStorage {
    /// Opens the log in `dir`, which is made if it is missing. Belongs on a thread that may block.
    ///
    /// A tail that was never acknowledged is cut.
    ///
    /// # Errors
    /// When something that was durable is not as it was written, or the machine refuses. Nothing
    /// was changed then.
    pub async fn open(
        host: &Arc<dyn Host>,
        files: Arc<dyn Files>,
        dir: &Path,
        options: StorageOptions,
    ) -> Result<Self, StorageError> {
        let made = files.create_dir(dir).await;
        made.map_err(|source| StorageError::Directory { path: dir.to_owned(), source })?;
        let recovered = recover::recover(host, files, dir, &options).await?;
        let shared = Arc::new(Shared {
            entries: Mutex::new(recovered.entries),
            full: AtomicBool::new(false),
            ending: AtomicBool::new(false),
        });
        let (jobs, queue) = mpsc::unbounded_channel();
        let flush = recovered.flush.into_task(Arc::clone(&shared), queue);
        let task = host.spawn_thread("log-flush", Box::pin(flush));
        let dir = dir.to_owned();
        Ok(Self(Arc::new(Inner { dir, shared, jobs, _task: Mutex::new(task) })))
    }

    /// True while the disk has no room for the next segment: commands must be refused then, since
    /// what is left is for votes.
    pub fn is_full(&self) -> bool {
        self.0.shared.full.load(Ordering::Relaxed)
    }

    /// The last entry that it has not any more; none if it has all.
    pub fn purged(&self) -> Option<LogId> {
        self.lock().purged
    }

    /// Has a write that waits for room fail instead, soon, and those that come later.
    pub fn stop_waiting(&self) {
        self.0.shared.ending.store(true, Ordering::Relaxed);
    }

    /// Ready once all that was appended or voted before the call is durable.
    ///
    /// # Errors
    /// When it could not be made so; the log takes no more writes then.
    pub async fn flushed(&self) -> io::Result<()> {
        let (flushed, wait) = oneshot::channel();
        self.send(Job::Flush(flushed))?;
        wait.await.map_err(|_| io::Error::other("the log ended before it was durable"))?
    }

    /// Makes everything durable that waits, and ends.
    pub async fn shutdown(&self) {
        let (done, ended) = oneshot::channel();
        if self.0.jobs.send(Job::Stop(done)).is_ok() {
            // A task that ended by itself has nothing left to write.
            let _ = ended.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.shared.lock()
    }

    fn send(&self, job: Job) -> io::Result<()> {
        self.0.jobs.send(job).map_err(|_| {
            let dir = self.0.dir.display();
            io::Error::other(format!("the log in {dir} takes no more writes; restart the node"))
        })
    }
}

impl RaftLogReader<TypeConfig> for LogStorage {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<EntryOf<TypeConfig>>, io::Error> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        let mut entries = self.lock();
        let (start, end) = (start.max(entries.first()), end.min(entries.end()));
        if start >= end { Ok(Vec::new()) } else { entries.read(start, end, usize::MAX) }
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.lock().vote)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<EntryOf<TypeConfig>>, io::Error> {
        /// One answer is about as large as an append to a peer should be.
        const ANSWER_BYTES: usize = 1 << 20;
        if start >= end { Ok(Vec::new()) } else { self.lock().read(start, end, ANSWER_BYTES) }
    }
}

impl RaftLogStorage<TypeConfig> for LogStorage {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let entries = self.lock();
        Ok(LogState { last_purged_log_id: entries.purged, last_log_id: entries.last() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (flushed, wait) = oneshot::channel();
        self.lock().vote = Some(*vote);
        self.send(Job::Vote(*vote, flushed))?;
        wait.await.map_err(|_| io::Error::other("the log ended before a vote was durable"))?
    }

    async fn append<I>(
        &mut self,
        entries: I,
        flushed: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = EntryOf<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let new: Vec<_> = entries.into_iter().collect();
        // Readable at once, as openraft wants it; durable when `flushed` is called.
        self.lock().append(&new)?;
        self.send(Job::Append(new, flushed))
    }

    async fn truncate_after(&mut self, kept: Option<LogId>) -> Result<(), io::Error> {
        self.lock().truncate_after(kept.map(|kept| kept.index));
        self.send(Job::Truncate(kept.map(|kept| kept.index)))
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.lock().purge(upto);
        self.send(Job::Purge(upto))
    }
}
