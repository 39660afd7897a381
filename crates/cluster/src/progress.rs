use openraft::async_runtime::WatchReceiver;

use crate::RaftLog;

/// How far the log of a node is, by the indexes of its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The last entry.
    pub last: Option<u64>,
    /// The last one that was applied.
    pub applied: Option<u64>,
    /// What the newest snapshot covers.
    pub snapshot: Option<u64>,
    /// What was dropped.
    pub purged: Option<u64>,
}

impl RaftLog {
    /// How far the log is.
    pub fn progress(&self) -> Progress {
        let metrics = self.raft.data_metrics();
        let metrics = metrics.borrow_watched();
        let index = |id: Option<crate::LogId>| id.map(|id| id.index);
        Progress {
            last: index(metrics.last_log),
            applied: index(metrics.last_applied),
            snapshot: index(metrics.snapshot),
            purged: index(metrics.purged),
        }
    }
}
