use std::time::Duration;

use openraft::metrics::RaftMetrics;
use openraft::{AsyncRuntime, ReadPolicy};

use crate::{Raft, Rt, TypeConfig};

/// How long a majority may take to say so.
const WITHIN: Duration = Duration::from_secs(1);

/// True if this node led when `metrics` were taken, and the members that they name are committed: a
/// majority has confirmed it since.
///
/// Whoever was deposed and has not heard of it names members that may be others by now, so what it
/// says of them is not the last word.
pub(crate) async fn is_settled(raft: &Raft, metrics: &RaftMetrics<TypeConfig>) -> bool {
    let read = raft.get_read_linearizer(ReadPolicy::ReadIndex);
    let Ok(Ok(read)) = Rt::timeout(WITHIN, read).await else { return false };
    let read = read.read_log_id();
    let leader = read.committed_leader_id();
    let has_led = (leader.term, leader.node_id) == (metrics.current_term, metrics.id);
    has_led && metrics.membership_config.log_id().as_ref() <= Some(read.log_id())
}
