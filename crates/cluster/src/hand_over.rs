use std::time::Duration;

use catga_core::{Fault, FaultCode, NodeName};
use openraft::async_runtime::{Instant, Select2, WatchReceiver};
use openraft::metrics::RaftMetrics;
use openraft::{AsyncRuntime, ServerState};

use crate::raft_log::stopped;
use crate::{LinkState, LogId, Membership, NodeId, Peers, Raft, RaftLog, Rt, TypeConfig};

/// Who leads instead of a node that hands its leadership over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandedOver {
    /// This node did not lead, so that there was nothing to hand over.
    NotLeading,
    /// No other node has a vote.
    Alone,
    /// This one.
    To(NodeName),
}

impl RaftLog {
    /// Has the voter lead that holds most of the log, if this node leads, and waits until it does.
    /// What is appended here meanwhile is refused, or in doubt. For a node that is going to stop:
    /// the cluster is without a leader for a moment instead of an election timeout.
    ///
    /// # Errors
    /// When no other voter can be reached or none took over in time. This node may lead on, or
    /// another may have been elected.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open who leads.
    pub async fn hand_over(&self) -> Result<HandedOver, Fault> {
        let within = self.options.answer_timeout;
        HandOver { raft: &self.raft, peers: &*self.peers, within }.to(|_| true).await
    }
}

/// Moves the leadership of this node to another.
pub(crate) struct HandOver<'a> {
    pub(crate) raft: &'a Raft,
    pub(crate) peers: &'a dyn Peers,
    /// How long the other may take to lead.
    pub(crate) within: Duration,
}

impl HandOver<'_> {
    /// Has the voter lead that holds most of the log, of those that are `wanted`. See
    /// [`RaftLog::hand_over`].
    pub(crate) async fn to(&self, wanted: impl Fn(NodeId) -> bool) -> Result<HandedOver, Fault> {
        let chosen = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow_watched();
            if metrics.state != ServerState::Leader {
                return Ok(HandedOver::NotLeading);
            }
            let others = metrics.membership_config.voter_ids().any(|id| id != metrics.id);
            if !others {
                return Ok(HandedOver::Alone);
            }
            self.best_voter(&metrics, wanted)
        };
        let unable = |why: String| Fault::new(FaultCode::LogUnavailable, why);
        let (_, to) = chosen.ok_or_else(|| {
            unable("no other voter can be reached that could lead instead of this node".to_owned())
        })?;
        self.raft.trigger().transfer_leader(to).await.map_err(stopped)?;
        let deadline = <Rt as AsyncRuntime>::Instant::now() + self.within;
        match Rt::select2(self.led_by_another(), Rt::sleep_until(deadline)).await {
            Select2::First(led) => led.map(HandedOver::To),
            Select2::Second(()) => Err(unable(format!(
                "node {to} did not lead within {:?} after it was told to",
                self.within
            ))),
        }
    }

    /// The voter with which this leader shares most, of those that can be reached and are `wanted`;
    /// of equals the one with the lowest number.
    fn best_voter(
        &self,
        metrics: &RaftMetrics<TypeConfig>,
        wanted: impl Fn(NodeId) -> bool,
    ) -> Option<(LogId, NodeId)> {
        let members = &metrics.membership_config;
        let voters = members.voter_ids().filter(|id| *id != metrics.id);
        let voters = voters.filter(|id| wanted(*id));
        let voters = voters.filter(|id| is_reachable(self.peers, members, *id));
        let matched = |id: NodeId| Some(((*metrics.replication.as_ref()?.get(&id)?)?, id));
        voters.filter_map(matched).reduce(|best, next| if next.0 > best.0 { next } else { best })
    }

    /// Ready once another node leads, as far as this one knows.
    async fn led_by_another(&self) -> Result<NodeName, Fault> {
        let mut changes = self.raft.server_metrics();
        loop {
            {
                let metrics = changes.borrow_and_update();
                let leader = metrics.current_leader.filter(|leader| *leader != metrics.id);
                let leader = leader.and_then(|id| metrics.membership_config.get_node(&id));
                if let Some(node) = leader {
                    return Ok(node.name.clone());
                }
            }
            if changes.changed().await.is_err() {
                return Err(crate::raft_log::failure(self.raft));
            }
        }
    }
}

/// True if there is a link to the member numbered `id`.
pub(crate) fn is_reachable(peers: &dyn Peers, members: &Membership, id: NodeId) -> bool {
    members.get_node(&id).is_some_and(|node| {
        let link = peers.link(&node.address.as_str().into());
        let up = matches!(*link.borrow(), LinkState::Up(_));
        up
    })
}
