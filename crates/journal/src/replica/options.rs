use std::time::Duration;

use catga_core::NodeName;
use catga_engine::Limits;

/// How a [`Replica`](crate::Replica) is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplicaOptions {
    /// The node's written name, for what it logs.
    pub node: NodeName,
    /// Which life of the journal this is, the same on every node of it. None draws one at random,
    /// as fits a log that is gone with its process.
    pub incarnation: Option<u64>,
    /// How much the engine remembers; the same on every node of the journal.
    pub limits: Limits,
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
}

impl ReplicaOptions {
    /// The usual options for the node called `node`.
    pub fn new(node: NodeName) -> Self {
        Self {
            node,
            incarnation: None,
            limits: Limits::default(),
            // A third of a second of commands at full speed: more would only add to latency.
            queue_capacity: 8192,
            queue_wait: Duration::from_secs(1),
            // Past this an entry gains nothing per effect, and makes those behind it wait.
            batch_effects_max: 256,
            batch_bytes_max: 256 * 1024,
            // Hides one round trip behind another; more only makes batches smaller.
            appends_in_flight_max: 4,
            doubtful_max: 4096,
        }
    }

    /// The same options for the life `incarnation` of the journal.
    #[must_use]
    pub fn with_incarnation(mut self, incarnation: u64) -> Self {
        self.incarnation = Some(incarnation);
        self
    }

    /// The same options with the engine's `limits`.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
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
