use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catga_core::NodeName;
use catga_engine::{ENGINE_VERSION, Limits};
use catga_host::Files;

use crate::archive::ArchiveOptions;

/// How a [`Replica`](crate::Replica) is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplicaOptions {
    /// The node's written name, for what it logs.
    pub node: NodeName,
    /// Which life of the journal this is, the same on every node of it. None draws one at random,
    /// as fits a log that is gone with its process. On disk it must be that of the checkpoint.
    pub incarnation: Option<u64>,
    /// How much the engine remembers; the same on every node of the journal.
    pub limits: Limits,
    /// The newest version of the engine's rules that this node goes along with. With a lower one
    /// than it knows it is as a build that knows no newer one.
    pub engine_version_max: u32,
    /// How many commits wait for the log at most.
    pub queue_capacity: usize,
    /// How long a commit waits for room in the queue; then it is refused.
    pub queue_wait: Duration,
    /// How many effects go into one entry at most.
    pub batch_effects_max: usize,
    /// How many bytes of payload go into one entry at most; one effect that has more goes alone.
    pub batch_bytes_max: usize,
    /// How many entries are on their way into the log at a time.
    pub appends_in_flight_max: usize,
    /// How many commits whose append came back in doubt go on waiting for this node's own apply.
    /// Beyond it the oldest are answered that they are in doubt.
    pub doubtful_max: usize,
    /// Where the state is kept; in memory if nothing is said.
    pub disk: Option<DiskOptions>,
}

/// Where a replica keeps its state, and how often.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DiskOptions {
    /// The files of the machine.
    pub files: Arc<dyn Files>,
    /// The directory; it belongs to this replica alone.
    pub dir: PathBuf,
    /// How often it is written to.
    pub pace: CheckpointPace,
    /// How many bytes of records a segment of the history has. The same on all nodes of the
    /// journal, and for ever: nodes compare their segments.
    pub segment_bytes: u64,
    /// True if other nodes have the same history and [mend](crate::Mending) what is damaged of it
    /// here. A replica without that does not start on what it sees to be damaged.
    pub mended: bool,
    /// The id of the cluster, which backups say; empty for a replica that is alone.
    pub cluster: String,
}

/// How often a replica makes checkpoints, and what the log keeps behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointPace {
    /// How many bytes of entries are applied before a checkpoint begins. What was applied since
    /// the last one is in memory, and is applied again after a restart.
    pub bytes: usize,
    /// The time from the beginning of one checkpoint to that of the next, at least.
    pub interval: Duration,
    /// How many bytes of applied entries the log keeps at least, for peers that lag behind.
    pub log_kept_bytes: usize,
}

impl Default for CheckpointPace {
    fn default() -> Self {
        Self {
            // A restart applies at most about twice as much again, which takes a second or two.
            bytes: 32 << 20,
            // Each costs several syncs, beside those of the log.
            interval: Duration::from_secs(1),
            log_kept_bytes: 64 << 20,
        }
    }
}

impl DiskOptions {
    /// The usual options for a replica in `dir`.
    pub fn new(files: Arc<dyn Files>, dir: PathBuf) -> Self {
        let segment_bytes = ArchiveOptions::default().segment_bytes;
        Self {
            files,
            dir,
            pace: CheckpointPace::default(),
            segment_bytes,
            mended: false,
            cluster: String::new(),
        }
    }

    /// The same options with segments of `bytes` bytes.
    #[must_use]
    pub fn with_segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// The same options where other nodes mend what is damaged of the history.
    #[must_use]
    pub fn with_mending(mut self) -> Self {
        self.mended = true;
        self
    }

    /// The same options for a replica in the cluster with this id.
    #[must_use]
    pub fn with_cluster(mut self, id: impl Into<String>) -> Self {
        self.cluster = id.into();
        self
    }

    /// The same options with checkpoints as often as `pace` says.
    #[must_use]
    pub fn with_pace(mut self, pace: CheckpointPace) -> Self {
        self.pace = pace;
        self
    }
}

impl ReplicaOptions {
    /// The usual options for the node called `node`.
    pub fn new(node: NodeName) -> Self {
        Self {
            node,
            incarnation: None,
            limits: Limits::default(),
            engine_version_max: ENGINE_VERSION,
            // A third of a second of commands at full speed: more would only add to latency.
            queue_capacity: 8192,
            queue_wait: Duration::from_secs(1),
            // Past this an entry gains nothing per effect, and makes those behind it wait.
            batch_effects_max: 256,
            batch_bytes_max: 256 * 1024,
            // Hides one round trip behind another; more only makes batches smaller.
            appends_in_flight_max: 4,
            doubtful_max: 4096,
            disk: None,
        }
    }

    /// The same options for the life `incarnation` of the journal.
    #[must_use]
    pub fn with_incarnation(mut self, incarnation: u64) -> Self {
        self.incarnation = Some(incarnation);
        self
    }

    /// The same options with the state kept as `disk` says.
    #[must_use]
    pub fn with_disk(mut self, disk: DiskOptions) -> Self {
        self.disk = Some(disk);
        self
    }

    /// The same options with the engine's `limits`.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same options with at most `effects` that wait in doubt. With none a doubt is told at
    /// once, as fits callers who ask the next leader with the same id and wait for the journal's
    /// own apply by [`counted`](crate::Journal::counted).
    #[must_use]
    pub fn with_doubtful_max(mut self, effects: usize) -> Self {
        self.doubtful_max = effects;
        self
    }

    /// The same options with a queue of `capacity`, in which a commit waits `wait` for room.
    #[must_use]
    pub fn with_queue(mut self, capacity: usize, wait: Duration) -> Self {
        self.queue_capacity = capacity;
        self.queue_wait = wait;
        self
    }
}
