//! A journal from any log: a batcher puts effects into entries, the engine decides them as they
//! are applied, and the history keeps what counted.

mod applier;
mod awaited;
mod backup;
mod batcher;
mod checkpoint;
mod checkpointer;
mod clock;
mod disk;
mod faults;
mod install;
mod journal;
mod mending;
mod options;
mod pieces;
mod reading;
mod shared;
mod snapshot;
mod waiters;

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use catga_core::Fault;
use catga_host::{Host, Task};
use tokio::sync::{mpsc, oneshot};

use self::batcher::{Batcher, Queued};
use self::checkpointer::Checkpointer;
use self::shared::Shared;
use crate::{Leadership, Log, Watermark};

pub use self::applier::ReplicaApplier;
pub use self::options::{CheckpointPace, DiskOptions, ReplicaOptions};

/// A [`Journal`](crate::Journal) over the log `L`, with engine and history in memory, or on disk
/// as of a checkpoint and in memory from there.
///
/// A commit waits in a bounded queue; one task makes entries of what waits and appends them; the
/// verdicts are given by this node's own apply, whatever the append returns. So where an append
/// comes back in doubt, as after a lost leadership, the commit goes on waiting: the entry may
/// still be applied here. How many may wait so is bounded
/// ([`doubtful_max`](ReplicaOptions::doubtful_max)); how long is the caller's deadline.
///
/// A panic in the engine, or an entry that it cannot read, stops the replica: what is pending is
/// in doubt, and reads and commits are refused from then on, so that nothing half-applied is
/// served.
pub struct Replica<L> {
    host: Arc<dyn Host>,
    log: Arc<L>,
    shared: Arc<Shared>,
    options: ReplicaOptions,
    /// Bounded by [`ReplicaOptions::queue_capacity`].
    queue: mpsc::Sender<Queued>,
    /// Ends the batcher; taken by the first shutdown.
    stop: Mutex<Option<oneshot::Sender<()>>>,
    /// At 1 once the batcher has ended.
    ended: Arc<Watermark>,
    checkpointer: Checkpointer,
    /// Notices that the log has stopped; never locked, and ended with the replica.
    watch: Mutex<Task>,
}

impl<L: Log> Replica<L> {
    /// Opens a log with the applier of a new replica, and takes commits for it.
    ///
    /// `open_log` gets the applier, to which the log delivers at once what it holds.
    ///
    /// # Errors
    /// What `open_log` returns, or why the last checkpoint cannot be read.
    ///
    /// # Cancel safety
    /// Dropping the future drops what `open_log` has opened so far.
    pub async fn open<F>(
        host: Arc<dyn Host>,
        options: ReplicaOptions,
        open_log: impl FnOnce(ReplicaApplier) -> F,
    ) -> Result<Arc<Self>, Fault>
    where
        F: Future<Output = Result<L, Fault>>,
    {
        // Boxed: it is the largest part by far, and is over at once.
        let opened = Box::pin(disk::open(&host, &options)).await?;
        let shared = Arc::new(Shared::new(&host, &options, opened));
        shared.goes_along(shared.engine_version())?;
        let log = Arc::new(open_log(ReplicaApplier::new(Arc::clone(&shared))).await?);
        let (queue, queued) = mpsc::channel(options.queue_capacity);
        let (stop, stopped) = oneshot::channel();
        let ended = Arc::new(Watermark::default());
        let batcher =
            Batcher::new(Arc::clone(&shared), Arc::clone(&log), options.clone(), queued, stopped);
        // It ends with the queue or by `stop`; however it ends, it answers what it holds.
        let task = batcher.run(Arc::clone(&ended));
        drop(host.spawn("journal-batcher", Box::pin(task)));
        let checkpointer = Checkpointer::start(&host, &log, &shared);
        // As of now: a change before the task begins is one as well.
        let leadership = log.leadership();
        let watch = watch(Arc::clone(&log), Arc::clone(&shared), leadership);
        let watch = Mutex::new(host.spawn("journal-watch", Box::pin(watch)));
        Ok(Arc::new(Self {
            host,
            log,
            shared,
            options,
            queue,
            stop: Mutex::new(Some(stop)),
            ended,
            checkpointer,
            watch,
        }))
    }

    /// The log beneath.
    pub fn log(&self) -> &Arc<L> {
        &self.log
    }
}

/// Counts the changes of leadership, and stops the replica when its log has stopped.
async fn watch<L: Log>(log: Arc<L>, shared: Arc<Shared>, mut leadership: Leadership) {
    let mut failed = pin!(log.failed());
    loop {
        let stopped = {
            let mut changed = pin!(log.leadership_changed(&leadership));
            let either = poll_fn(|cx| match failed.as_mut().poll(cx) {
                Poll::Ready(fault) => Poll::Ready(Some(fault)),
                Poll::Pending => changed.as_mut().poll(cx).map(|()| None),
            });
            either.await
        };
        if let Some(fault) = stopped {
            return shared.fail(&fault);
        }
        leadership = log.leadership();
        shared.leaderships.advance(shared.leaderships.get().next());
    }
}

impl<L> Drop for Replica<L> {
    fn drop(&mut self) {
        self.watch.get_mut().unwrap_or_else(PoisonError::into_inner).abort();
    }
}

impl<L> fmt::Debug for Replica<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("node", &self.options.node)
            .field("incarnation", &self.shared.incarnation)
            .field("applied", &self.shared.applied.get())
            .finish_non_exhaustive()
    }
}
