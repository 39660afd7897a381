use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use catga_core::Fault;
use catga_journal::{
    AppendError, Applier, Guarantees, Leadership, Log, LogIndex, LogSnapshot, Refusal, Survives,
};
use openraft::async_runtime::{Instant, Select2, Select3, WatchReceiver};
use openraft::errors::{Fatal, InitializeError, RaftError};
use openraft::network::{NetSnapshot, RaftNetworkFactory};
use openraft::storage::RaftLogStorage;
use openraft::{AsyncRuntime, ConfigError, LogIdOptionExt, ReadPolicy};
use tokio::sync::Semaphore;

use crate::answers::{self, Next};
use crate::batch::log_index;
use crate::config::raft_config;
use crate::tenure::Tenure;
use crate::{Entry, Machine, Node, NodeId, Options, Raft, Rt, SnapshotStore, Tasks, TypeConfig};

/// How soon a leader that has not heard from its quorum is asked again: about one round trip.
const RETRY_AFTER: Duration = Duration::from_millis(1);

/// A log that Raft orders, on one of its nodes.
///
/// Dropping it ends its tasks where they are, as a crash would; [`Log::shutdown`] is the other way.
pub struct RaftLog {
    raft: Raft,
    tasks: Tasks,
    options: Options,
    /// One permit for each append that may wait: beyond that, callers are refused, so that a
    /// leader without a quorum does not collect entries.
    room: Semaphore,
    stopped: AtomicBool,
}

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The options contradict each other.
    #[error("open the log with these options")]
    Options(#[source] ConfigError),
    /// What is stored cannot be read, or contradicts itself.
    #[error("open the log on what is stored")]
    Stored(#[source] Fatal<TypeConfig>),
}

impl RaftLog {
    /// Starts the node that `options` names, on what `storage` and `snapshots` hold.
    ///
    /// It delivers to `applier` what that does not hold yet. A node that never was a member waits
    /// until it is made one, or until [`initialize`](Self::initialize).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open<S, N>(
        options: Options,
        storage: S,
        snapshots: Arc<dyn SnapshotStore>,
        network: N,
        applier: Box<dyn Applier>,
    ) -> Result<Self, OpenError>
    where
        S: RaftLogStorage<TypeConfig>,
        N: RaftNetworkFactory<TypeConfig>,
        N::Network: NetSnapshot<TypeConfig, SnapshotData = LogSnapshot>,
    {
        let config = Arc::new(raft_config(&options).map_err(OpenError::Options)?);
        let machine = Machine::new(applier, snapshots);
        let tasks = Tasks::default();
        let start = Raft::new(options.id, config, network, storage, machine);
        let raft = tasks.scope(Rt::seeded(options.seed, Box::pin(start))).await;
        let log = Self {
            raft: raft.map_err(OpenError::Stored)?,
            tasks,
            room: Semaphore::new(options.pending_max),
            options,
            stopped: AtomicBool::new(false),
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

    /// The consensus itself, for those who bring it what its peers send.
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    /// Ends the node where it is, as a kill would: nothing is flushed and nobody is told.
    pub fn abort(&self) {
        self.stopped.store(true, Ordering::Release);
        self.tasks.abort();
    }

    /// A lone voter has nobody to wait for; it does not resume its old leadership either.
    async fn elect_if_alone(&self) -> Result<(), Fatal<TypeConfig>> {
        let id = self.options.id;
        let alone = self.raft.with_raft_state(move |state| {
            let members = state.membership_state.effective();
            members.voter_ids().eq([id])
        });
        if alone.await? {
            self.raft.trigger().elect(false).await?;
        }
        Ok(())
    }

    fn term(&self) -> u64 {
        self.leadership().term
    }

    /// One attempt of an append, until it is answered or there is reason to doubt it.
    async fn propose(
        &self,
        entry: Bytes,
        deadline: <Rt as AsyncRuntime>::Instant,
    ) -> Result<LogIndex, Next<AppendError>> {
        // Before the entry goes out: a leadership that is lost right after is noticed.
        let tenure = Tenure::of(&self.raft);
        let write = self.raft.client_write(Entry(entry));
        let doubt = |why: &str| Err(Next::Answer(AppendError::InDoubt(why.to_owned())));
        match Rt::select3(write, tenure.lost(), Rt::sleep_until(deadline)).await {
            Select3::First(Ok(written)) => Ok(log_index(&written.log_id)),
            Select3::First(Err(error)) => Err(answers::append_error(error, self.term())),
            Select3::Second(()) => doubt("this node lost its leadership before it was answered"),
            Select3::Third(()) => doubt("no quorum confirmed it in time"),
        }
    }

    /// Drops the log up to `upto`, behind a snapshot that covers it.
    async fn purge(&self, upto: LogIndex) -> Result<(), Fatal<TypeConfig>> {
        let applied = self.raft.watch_apply_progress().get();
        let upto = applied.index().min(Some(upto.index));
        let mut snapshots = self.raft.watch_snapshot_progress();
        let covers = move |last: &Option<crate::LogId>| last.index() >= upto;
        if !covers(&snapshots.get()) {
            self.raft.trigger().snapshot().await?;
            // One that was being built already may come first, so until it covers; or not in
            // time, and then the next trim will.
            let built = snapshots.wait_until(covers);
            Rt::select2(built, Rt::sleep(self.options.snapshot_timeout)).await;
        }
        match upto {
            // openraft itself goes no further than the snapshot.
            Some(upto) => self.raft.trigger().purge_log(upto).await,
            None => Ok(()),
        }
    }
}

impl Log for RaftLog {
    async fn append(&self, entry: Bytes) -> Result<LogIndex, AppendError> {
        let limit = self.options.entry_bytes_max;
        if entry.len() > limit {
            return Err(AppendError::Refused(Refusal::TooLarge { limit }));
        }
        if self.stopped.load(Ordering::Acquire) {
            return Err(AppendError::Refused(Refusal::Stopped));
        }
        let Ok(_room) = self.room.try_acquire() else {
            return Err(AppendError::Refused(Refusal::Full));
        };
        let start = <Rt as AsyncRuntime>::Instant::now();
        let deadline = start + self.options.answer_timeout;
        loop {
            match self.propose(entry.clone(), deadline).await {
                Ok(index) => return Ok(index),
                Err(Next::Answer(error)) => return Err(error),
                // A leader that does not get its lease back in this time will be deposed. The
                // attempt was refused, and so were all before it: that is still proof.
                Err(Next::Retry(error)) if start.elapsed() >= self.options.lease() => {
                    return Err(error);
                }
                Err(Next::Retry(_)) => Rt::sleep(RETRY_AFTER).await,
            }
        }
    }

    async fn read_index(&self) -> Result<LogIndex, Fault> {
        let start = <Rt as AsyncRuntime>::Instant::now();
        let deadline = start + self.options.answer_timeout;
        loop {
            // Never by lease: an agreed failover elects a leader while the old one believes in it.
            let read = self.raft.ensure_linearizable(ReadPolicy::ReadIndex);
            let error = match Rt::select2(read, Rt::sleep_until(deadline)).await {
                Select2::First(Ok(read)) => return Ok(log_index(read.log_id())),
                Select2::First(Err(error)) => answers::read_error(error),
                Select2::Second(()) => Next::Answer(answers::unconfirmed("not in time")),
            };
            match error {
                Next::Retry(fault) if start.elapsed() >= self.options.lease() => return Err(fault),
                Next::Retry(_) => Rt::sleep(RETRY_AFTER).await,
                Next::Answer(fault) => return Err(fault),
            }
        }
    }

    fn leadership(&self) -> Leadership {
        answers::leadership(&self.raft.server_metrics().borrow_watched())
    }

    async fn trim(&self, upto: LogIndex) {
        // The log keeps more than it must then, which the next trim makes good.
        if let Err(error) = self.purge(upto).await {
            tracing::debug!(%error, ?upto, "the log was not trimmed");
        }
    }

    fn guarantees(&self) -> Guarantees {
        // With two voters there is no minority to lose.
        let survives = match self.raft.voter_ids().count() {
            0..=2 => Survives::PowerLoss,
            _ => Survives::Failover,
        };
        Guarantees::new("raft", survives)
    }

    async fn shutdown(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "a task of the log did not end as it should");
        }
        self.tasks.abort();
    }
}

impl Drop for RaftLog {
    fn drop(&mut self) {
        self.tasks.abort();
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
