use std::time::Duration;

use crate::NodeId;

/// How one node takes part in its cluster.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The number of this node.
    pub id: NodeId,
    /// Decides election timeouts. From the host's randomness: equal seeds campaign together.
    pub seed: u64,
    /// A node that hears of no leader for one to two of these campaigns.
    pub election_timeout: Duration,
    /// How often a leader shows that it is there.
    pub heartbeat_interval: Duration,
    /// How long an append may wait for its answer before it is in doubt, and a read index before
    /// it fails.
    pub answer_timeout: Duration,
    /// How long the sending of a snapshot may make no progress.
    pub snapshot_timeout: Duration,
    /// How many bytes of a snapshot are sent at once.
    pub snapshot_part_bytes: usize,
    /// How often a file of the history is read to see that its disk has lost nothing of it.
    pub scrub_interval: Duration,
    /// The largest entry that is taken.
    pub entry_bytes_max: usize,
    /// How many appends may wait for their answers at once.
    pub pending_max: usize,
}

impl Options {
    /// The usual options for node `id`.
    pub fn new(id: NodeId, seed: u64) -> Self {
        Self {
            id,
            seed,
            election_timeout: Duration::from_millis(500),
            heartbeat_interval: Duration::from_millis(100),
            // Twice the longest election: shorter would doubt what a change of leader settles.
            answer_timeout: Duration::from_secs(2),
            snapshot_timeout: Duration::from_secs(5),
            snapshot_part_bytes: 1 << 20,
            // 64 MiB each: a day for half a terabyte.
            scrub_interval: Duration::from_secs(10),
            entry_bytes_max: 16 << 20,
            pending_max: 4096,
        }
    }

    /// The longest that an election may be put off: a lease of this length may have to run out.
    pub(crate) fn lease(&self) -> Duration {
        self.election_timeout * 2
    }
}
