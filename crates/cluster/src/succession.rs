//! Who leads when the leader is gone, without waiting for its lease.
//!
//! Whoever loses its link to the leader asks the other voters whether they have lost theirs. When
//! a quorum has, the one with the longest log campaigns, by the way that a leader's own transfer
//! takes. One cut link changes nothing, and when nobody agrees the timers elect as ever. Safety is
//! Raft's own: all this decides is when somebody campaigns, and who.

mod agreement;
mod watching;

use openraft::async_runtime::WatchReceiver;
use openraft::errors::Fatal;
use openraft::metrics::RaftServerMetrics;

use crate::wire::LeaderLost;
use crate::{Address, LinkState, LogId, NodeId, Peers, Raft, TypeConfig, Vote};

pub(crate) use self::watching::watch;

/// How many messages of others wait to be looked at: each node sends one in a few milliseconds,
/// and what is dropped comes again.
pub(crate) const ASKED_MAX: usize = 64;

/// What another node says of the leader.
pub(crate) struct Asked {
    pub(crate) from: NodeId,
    pub(crate) lost: LeaderLost,
}

/// True if the node follows the leader of `vote`, and its link to it is down.
pub(crate) fn has_lost(raft: &Raft, peers: &dyn Peers, vote: &Vote) -> bool {
    let metrics = raft.server_metrics();
    let metrics = metrics.borrow_watched();
    let address = if metrics.vote == *vote { followed(&metrics) } else { None };
    address.is_some_and(|address| is_down(&peers.link(&address).borrow()))
}

/// Where the leader is that a node follows.
fn followed(metrics: &RaftServerMetrics<TypeConfig>) -> Option<Address> {
    let leader = metrics.vote.leader_id.node_id;
    let follows = metrics.vote.committed && leader != metrics.id;
    let node = metrics.membership_config.get_node(&leader).filter(|_| follows)?;
    Some(node.address.as_str().into())
}

/// True if the node at the other end is gone, by all that can be seen from here. Not while a link
/// is being made: then nothing is known.
fn is_down(link: &LinkState) -> bool {
    matches!(link, LinkState::Gone | LinkState::Left | LinkState::Silent)
}

/// The last entry of the node's log.
pub(crate) async fn last(raft: &Raft) -> Result<Option<LogId>, Fatal<TypeConfig>> {
    raft.with_raft_state(|state| state.log_ids.last().copied()).await
}
