//! The log that Raft orders: how it is opened and ended. What it does as a [`Log`](catga_journal::Log) is in `log`.

mod log;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use catga_core::{Fault, FaultCode};
use catga_host::Host;
use catga_journal::{Applier, Log};
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{Fatal, InitializeError, RaftError};
use openraft::storage::RaftLogStorage;
use openraft::{ConfigError, ServerState};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::config::raft_config;
use crate::mending::Mender;
use crate::reads::Reads;
use crate::room::Room;
use crate::serving::RaftServe;
use crate::shipping::{self, SnapshotShipping};
use crate::starting::{EndOnDrop, Started, start};
use crate::{Machine, Node, NodeId, Options, Peers, Raft, Rt, Serve, Store, Tasks, TypeConfig};

/// A log that Raft orders, on one of its nodes.
///
/// Dropping it ends its tasks where they are, as a crash would; [`Log::shutdown`] is the other way.
pub struct RaftLog {
    pub(crate) raft: Raft,
    reads: Reads,
    serve: RaftServe,
    pub(crate) peers: Arc<dyn Peers>,
    tasks: Tasks,
    shipping: Arc<dyn SnapshotShipping>,
    mender: Option<Arc<Mender>>,
    pub(crate) options: Options,
    /// One permit for each append that may wait: beyond that, callers are refused, so that a
    /// leader without a quorum does not collect entries.
    permits: Semaphore,
    pub(crate) stopped: AtomicBool,
    room: Room,
    /// Why the cluster will not have this node any more, once it will not.
    pub(crate) dismissed: watch::Sender<Option<Fault>>,
    /// Keeps the thread that Raft runs on; dropped, it ends.
    thread: Mutex<Option<oneshot::Sender<()>>>,
}

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The options contradict each other.
    #[error("open the log with these options")]
    Options(#[source] ConfigError),
    /// What is stored cannot be read, or contradicts itself.
    #[error("open the log on what is stored: {0}")]
    Stored(Fatal<TypeConfig>),
    /// The machine gave no thread to run on, or it ended.
    #[error("open the log on a thread of its own")]
    Thread,
}

impl RaftLog {
    /// Starts the node that `options` names, on what `store` holds.
    ///
    /// Raft runs on a thread that it shares with the links to its peers alone. It delivers to `applier` what that does not hold yet, and
    /// reaches the other nodes by `peers`, which bring what they ask to [`serve`](Self::serve). A
    /// node that never was a member waits until it is made one, or until
    /// [`initialize`](Self::initialize).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open<S: RaftLogStorage<TypeConfig>>(
        host: &Arc<dyn Host>,
        options: Options,
        store: Store<S>,
        peers: Arc<dyn Peers>,
        applier: Box<dyn Applier>,
    ) -> Result<Self, OpenError> {
        let config = Arc::new(raft_config(&options).map_err(OpenError::Options)?);
        let Store { log, snapshots, ground } = store;
        let shipping = shipping::of(host, &options, &*applier);
        let mender = applier.mending().map(|mending| Mender::new(host, mending, &options));
        let machine = Machine::new(host, applier, snapshots);
        let tasks = Tasks::of(host);
        let (opened, open) = oneshot::channel();
        let (thread, end) = oneshot::channel::<()>();
        let links = peers.thread();
        let run = {
            let (tasks, seed) = (tasks.clone(), options.seed);
            let (peers, options) = (Arc::clone(&peers), options.clone());
            let (shipping, mender) = (Arc::clone(&shipping), mender.clone());
            let grounded = Arc::clone(&ground);
            async move {
                // However the thread ends, nothing of the node goes on.
                let tasks = EndOnDrop(tasks, Arc::clone(&shipping));
                let start =
                    start(config, options, peers, log, machine, (shipping, mender), grounded);
                let start = Box::pin(start);
                let started = tasks.0.scope(Rt::seeded(seed, start)).await;
                let runs = started.is_ok();
                if opened.send(started).is_ok() && runs {
                    // Everything else that Raft does runs in tasks of this thread.
                    let _ = end.await;
                }
            }
        };
        drop(match links {
            Some(thread) => thread.spawn("raft", Box::pin(run)),
            None => host.spawn_thread("raft", Box::pin(run)),
        });
        let started = open.await.map_err(|_| OpenError::Thread)?;
        let Started { raft, reads, serve, lacking } = started.map_err(OpenError::Stored)?;
        let log = Self {
            raft,
            reads,
            serve,
            peers,
            tasks,
            shipping,
            mender,
            permits: Semaphore::new(options.pending_max),
            options,
            stopped: AtomicBool::new(false),
            room: Room { ground, lacking },
            dismissed: watch::Sender::default(),
            thread: Mutex::new(Some(thread)),
        };
        log.elect_if_alone().await.map_err(OpenError::Stored)?;
        Ok(log)
    }

    /// Makes a cluster of `members`, each of them still empty. Once in its life, on one of them.
    ///
    /// # Errors
    /// When this node is a member already, or is not among the members.
    pub async fn initialize(
        &self,
        members: BTreeMap<NodeId, Node>,
    ) -> Result<(), RaftError<TypeConfig, InitializeError<TypeConfig>>> {
        self.raft.initialize(members).await
    }

    /// Makes a cluster of `members`, unless this node is a member of one.
    ///
    /// # Errors
    /// When the log has stopped, or this node is not among the members.
    pub(crate) async fn initialize_if_new(
        &self,
        members: BTreeMap<NodeId, Node>,
    ) -> Result<(), Fault> {
        if self.raft.is_initialized().await.map_err(stopped)? {
            return Ok(());
        }
        self.initialize(members).await.map_err(|error| Fault::internal(error.to_string()))
    }

    /// Ready once this node leads.
    ///
    /// # Errors
    /// When the log has stopped.
    pub(crate) async fn leads(&self) -> Result<(), Fault> {
        let mut metrics = self.raft.server_metrics();
        loop {
            match metrics.borrow_watched().state {
                ServerState::Leader => return Ok(()),
                ServerState::Shutdown => return Err(failure(&self.raft)),
                _ => {}
            }
            if metrics.changed().await.is_err() {
                return Err(failure(&self.raft));
            }
        }
    }

    /// Has this node campaign, whoever leads.
    ///
    /// # Errors
    /// When the log has stopped.
    pub async fn campaign(&self) -> Result<(), Fault> {
        self.raft.trigger().elect(false).await.map_err(stopped)
    }

    /// What handles the requests that peers make of this log: those of all topics but
    /// [`Membership`](crate::Topic::Membership) and [`Application`](crate::Topic::Application).
    pub fn serve(&self) -> Arc<dyn Serve> {
        Arc::new(self.serve.clone())
    }

    /// The consensus itself, for those who look into it.
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    /// Ends the node where it is, as a kill would: nothing is flushed and nobody is told.
    pub fn abort(&self) {
        self.stopped.store(true, Ordering::Release);
        self.end();
    }

    fn end(&self) {
        self.tasks.abort();
        self.shipping.stop();
        self.mender.iter().for_each(|mender| mender.stop());
        drop(self.thread.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Whether there is room for entries.
    pub(crate) fn room(&self) -> Room {
        self.room.clone()
    }

    /// True while so many members have no room that no majority could store an entry.
    fn lacks_room(&self) -> bool {
        if self.room.lacking.is_empty() {
            return false;
        }
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        self.room.lacking.stop(metrics.membership_config.membership().get_joint_config())
    }

    /// A lone voter has nobody to wait for; it does not resume its old leadership either.
    async fn elect_if_alone(&self) -> Result<(), Fatal<TypeConfig>> {
        if self.voters().await?.iter().eq([&self.options.id]) {
            self.raft.trigger().elect(false).await?;
        }
        Ok(())
    }

    /// Why the consensus has ended, once it has without being told to.
    async fn core_failed(&self) -> Fault {
        let mut metrics = self.raft.server_metrics();
        loop {
            let state = metrics.borrow_watched().state;
            let ended = state == ServerState::Shutdown || metrics.changed().await.is_err();
            if self.stopped.load(Ordering::Acquire) {
                // It was told to.
                return std::future::pending().await;
            }
            if ended {
                return failure(&self.raft);
            }
        }
    }
}

#[cold]
pub(crate) fn stopped(error: Fatal<TypeConfig>) -> Fault {
    Fault::new(FaultCode::LogUnavailable, format!("the log has stopped: {error}"))
}

/// Why the core does not run.
#[cold]
pub(crate) fn failure(raft: &Raft) -> Fault {
    match raft.metrics().borrow_watched().running_state.clone() {
        Err(fatal) => stopped(fatal),
        Ok(()) => stopped(Fatal::Stopped),
    }
}

impl Drop for RaftLog {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for RaftLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaftLog")
            .field("id", &self.options.id)
            .field("leadership", &self.leadership())
            .finish_non_exhaustive()
    }
}
