//! How a node comes into a cluster that exists: the leader takes it as a learner, and gives it a
//! vote once it has caught up, if it is among the members that the leader was given.
//!
//! The one who joins asks again and again; the leader does one step each time and keeps nothing,
//! so that a change of leader in between costs nothing.

#[cfg(test)]
mod fuzz;
mod messages;
mod petition;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_host::BoxFuture;
use catga_journal::EngineVersions;
use catga_journal::planted::Planted;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::metrics::RaftMetrics;
use openraft::{AsyncRuntime, ChangeMembers};

use self::messages::{JoinAnswer, Joiner, Saying};
pub(crate) use self::petition::{Joined, Petition};
use crate::room::Room;
use crate::settled::is_settled;
use crate::{Address, LogId, Node, NodeId, Peer, Raft, Recipient, Rt, Serve, Topic, TypeConfig};

/// A learner that lacks no more entries gets its vote: while it fetches them, the others are a
/// quorum without it.
const LAG_MAX: u64 = 1024;

/// How long the leader may take for one step.
const STEP_WAIT: Duration = Duration::from_secs(5);

/// Takes nodes into the cluster, where this one leads.
#[derive(Clone)]
pub(crate) struct Admission {
    raft: Raft,
    /// Where those are that are to have a vote.
    members: Vec<String>,
    /// Which life of the journal this is.
    incarnation: u64,
    engine: EngineOf,
    room: Room,
}

/// By which versions of the engine's rules this node's journal decides; none once it is gone.
pub(crate) type EngineOf = Arc<dyn Fn() -> Option<EngineVersions> + Send + Sync>;

impl Admission {
    pub(crate) fn new(
        raft: Raft,
        members: Vec<String>,
        incarnation: u64,
        engine: EngineOf,
        room: Room,
    ) -> Self {
        Self { raft, members, incarnation, engine, room }
    }

    /// One step towards the membership of `joiner`.
    async fn admit(&self, joiner: Joiner) -> Result<JoinAnswer, String> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let answer = self.step(&metrics, joiner).await?;
        // What a node is, it must not hear from a leader that is none any more.
        let is_open = matches!(answer, JoinAnswer::NotLeader { .. } | JoinAnswer::Step);
        if is_open || is_settled(&self.raft, &metrics).await {
            return Ok(answer);
        }
        Ok(JoinAnswer::Step)
    }

    /// The same by `metrics`, of a node that may be deposed and not know it.
    async fn step(
        &self,
        metrics: &RaftMetrics<TypeConfig>,
        joiner: Joiner,
    ) -> Result<JoinAnswer, String> {
        let members = metrics.membership_config.membership();
        if metrics.current_leader != Some(metrics.id) {
            let leader = metrics.current_leader.and_then(|id| members.get_node(&id));
            let leader = leader.map(|node| node.address.clone()).unwrap_or_default();
            return Ok(JoinAnswer::NotLeader { leader });
        }
        let Joiner { peer, says } = joiner;
        let Saying { address, incarnation, belonged, by, version, full } = says;
        if incarnation != 0 && incarnation != self.incarnation {
            return Ok(JoinAnswer::Foreign);
        }
        let engine = (self.engine)().ok_or("the node is stopping")?;
        if version.max(EngineVersions::FIRST) < engine.active {
            return Ok(JoinAnswer::TooOld { needs: engine.active });
        }
        match full {
            _ if peer.id == metrics.id => {}
            true => self.room.lacking.add(peer.id),
            false => self.room.lacking.remove(peer.id),
        }
        let known = members.nodes().find(|(id, node)| **id == peer.id || node.name == peer.name);
        let node = Node::new(peer.name.clone(), address.clone(), peer.store).with_version(version);
        let change = match known {
            Some((id, known))
                if (*id, known.store, &known.name) != (peer.id, peer.store, &peer.name) =>
            {
                return Ok(JoinAnswer::LostItsData);
            }
            Some((id, known)) if (&known.address, known.version) != (&address, version) => {
                ChangeMembers::SetNodes(BTreeMap::from([(*id, node)]))
            }
            Some((id, _)) if members.voter_ids().any(|voter| voter == *id) => {
                return Ok(JoinAnswer::Member);
            }
            Some(_) if !self.members.contains(&address) => return Ok(JoinAnswer::Learner),
            Some((id, _)) => match lag(metrics, *id) {
                Some((has, last)) => return Ok(JoinAnswer::CatchingUp { has, last }),
                None => ChangeMembers::AddVoterIds(BTreeSet::from([*id])),
            },
            None if belonged && Planted::RemovedBelongs.is_here() => {
                return Ok(JoinAnswer::Learner);
            }
            // Under its old number nobody takes it for new.
            None if belonged && self.may_be_committed(by).await? => {
                return Ok(JoinAnswer::Removed);
            }
            // Of members it may be that one has moved to where another was, which moves as well.
            None => match members.nodes().find(|(_, other)| other.address == address) {
                Some((_, other)) => {
                    return Ok(JoinAnswer::AddressTaken { by: other.name.to_string() });
                }
                None => ChangeMembers::AddNodes(BTreeMap::from([(peer.id, node)])),
            },
        };
        tracing::info!(node = %peer.name, address, ?change, "the membership changes");
        let changed = self.raft.change_membership(change, true);
        // Of a leader that is deposed meanwhile nobody may ever say what became of it.
        match Rt::timeout(STEP_WAIT, changed).await {
            Ok(Ok(_)) | Err(_) => Ok(JoinAnswer::Step),
            // Another change is under way, or leadership is: both pass.
            Ok(Err(RaftError::APIError(
                ClientWriteError::ChangeMembershipError(_) | ClientWriteError::ForwardToLeader(_),
            ))) => Ok(JoinAnswer::Step),
            Ok(Err(error)) => Err(error.to_string()),
        }
    }

    /// False if the log of this leader has another entry than `by` where that stands: so a leader said
    /// it who was deposed, and nobody has agreed.
    async fn may_be_committed(&self, by: Option<LogId>) -> Result<bool, String> {
        let Some(by) = by else { return Ok(true) };
        let has = self.raft.with_raft_state(move |state| {
            let ids = &state.log_ids;
            let is_purged = ids.purged().is_some_and(|purged| by.index < purged.index);
            is_purged || ids.get(by.index) == Some(by)
        });
        has.await.map_err(|error| error.to_string())
    }

    /// True if this node leads, as far as it knows.
    fn leads(&self) -> bool {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        metrics.current_leader == Some(metrics.id)
    }

    /// True if `peer` belongs to the cluster, as far as the log here says.
    pub(crate) fn knows(&self, peer: &Peer) -> bool {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let known = metrics.membership_config.membership().get_node(&peer.id);
        known.is_some_and(|known| (known.store, &known.name) == (peer.store, &peer.name))
    }

    /// True if `peer` is not who has its number in the cluster, as far as the log here says.
    pub(crate) fn is_another(&self, peer: &Peer) -> bool {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let known = metrics.membership_config.membership().get_node(&peer.id);
        known.is_some_and(|known| (known.store, &known.name) != (peer.store, &peer.name))
    }

    /// The newest engine version that this node goes along with.
    fn supported(&self) -> u32 {
        (self.engine)().map_or(0, |engine| engine.supported)
    }

    /// The entry by which the log here says who belongs to the cluster; none if it says nothing.
    fn told_by(&self) -> Option<LogId> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        *metrics.membership_config.log_id()
    }

    /// Where those are that belong to the cluster, as far as the log here says.
    fn known(&self) -> BTreeSet<Address> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let nodes = metrics.membership_config.membership().nodes();
        nodes.map(|(_, node)| Address::from(&*node.address)).collect()
    }
}

/// Who leads as far as this node knows, if that is another.
pub(crate) fn leader_elsewhere(raft: &Raft) -> Option<Recipient> {
    let metrics = raft.server_metrics();
    let metrics = metrics.borrow_watched();
    let leader = metrics.current_leader.filter(|leader| *leader != metrics.id)?;
    let node = metrics.membership_config.get_node(&leader)?;
    Some(Recipient { address: node.address.as_str().into(), id: Some(leader) })
}

/// How far the member numbered `id` is, and how far its leader, if it lacks too much for a vote. Whom
/// the leader has never reached lacks everything: its vote would be one that nobody can get.
pub(crate) fn lag(metrics: &RaftMetrics<TypeConfig>, id: NodeId) -> Option<(u64, u64)> {
    let last = metrics.last_log_index.unwrap_or_default();
    let has = metrics.replication.as_ref().and_then(|all| all.get(&id).cloned()).flatten();
    match has {
        Some(has) => (has.index + LAG_MAX < last).then_some((has.index, last)),
        None => Some((0, last)),
    }
}

impl Serve for Admission {
    fn serve(
        &self,
        from: &Peer,
        _: Topic,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        let (this, peer) = (self.clone(), from.clone());
        Box::pin(async move {
            let says = messages::read_join(request).map_err(|error| error.to_string())?;
            let answer = this.admit(Joiner { peer, says }).await?;
            Ok(answer.encode())
        })
    }
}
