//! How a node comes into a cluster that exists: the leader takes it as a learner, and gives it a
//! vote once it has caught up, if it is among the members that the leader was given.
//!
//! The one who joins asks again and again; the leader does one step each time and keeps nothing,
//! so that a change of leader in between costs nothing.

#[cfg(test)]
mod fuzz;
mod messages;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_host::{BoxFuture, Host};
use catga_journal::EngineVersions;
use catga_journal::planted::Planted;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::metrics::RaftMetrics;
use openraft::{AsyncRuntime, ChangeMembers};

use self::messages::{JoinAnswer, Joiner, Saying};
use crate::room::Room;
use crate::settled::is_settled;
use crate::{
    Address, FoundingError, Links, Node, NodeId, Peer, Peers, Raft, Recipient, Rt, Serve, Topic,
    TypeConfig,
};

/// A learner that lacks no more entries gets its vote: while it fetches them, the others are a
/// quorum without it.
const LAG_MAX: u64 = 1024;

/// How long the leader may take for one step.
const STEP_WAIT: Duration = Duration::from_secs(5);

/// How long whoever is asked may take to be reached, where there is no link to it yet.
const REACH_WAIT: Duration = Duration::from_secs(1);

/// How soon the next step is asked for.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long none of the members in the log may say what a node is, before it asks wherever it was
/// told. Longer than it takes to elect a leader and to be shown to it.
const UNHEARD_MAX: Duration = Duration::from_secs(4);

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
        let Saying { address, incarnation, belonged, version, full } = says;
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
            // Under its old number nobody takes it for new.
            None if belonged && Planted::RemovedBelongs.is_here() => {
                return Ok(JoinAnswer::Learner);
            }
            None if belonged => return Ok(JoinAnswer::Removed),
            None => ChangeMembers::AddNodes(BTreeMap::from([(peer.id, node)])),
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

/// What a node has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// It has a vote.
    Voter,
    /// It follows without one, since its address is not among the members.
    Learner,
}

/// One node's request to belong to the cluster of others, made to whoever leads it.
pub(crate) struct Petition {
    host: Arc<dyn Host>,
    links: Links,
    me: Peer,
    /// Where it is reached.
    address: Address,
    /// Where there are others, as it was told.
    others: BTreeSet<Address>,
    own: Admission,
    /// To where it keeps links: there it asks.
    linked: BTreeSet<Address>,
    asked: usize,
    leader: Option<Address>,
    /// When a leader said last what it is, or when it began to ask.
    heard: Duration,
    /// When a leader last did something for it, or when it began to ask.
    helped: Duration,
    /// It has a place in the cluster, or had one: whoever does not know it has taken it out.
    belonged: bool,
}

impl Petition {
    /// Of the node at `place`, which was told of `others` and has dialled those that are `linked`;
    /// it may have `founded` the cluster.
    pub(crate) fn new(
        host: Arc<dyn Host>,
        links: Links,
        place: (Peer, Address),
        others: BTreeSet<Address>,
        linked: BTreeSet<Address>,
        own: Admission,
        founded: bool,
    ) -> Self {
        let now = host.now();
        let belonged = founded || !own.known().is_empty();
        let (asked, leader, heard, helped) = (0, None, now, now);
        let (me, address) = place;
        Self {
            host,
            links,
            me,
            address,
            others,
            own,
            linked,
            asked,
            leader,
            heard,
            helped,
            belonged,
        }
    }

    /// Keeps links to those of whom this node may hear what it is, and to no others.
    pub(crate) fn link(&mut self) {
        let wanted = self.wanted();
        if wanted == self.linked {
            return;
        }
        self.links.connect_to(&wanted.iter().cloned().collect::<Vec<_>>());
        self.links.disconnect_from(&self.linked.difference(&wanted).cloned().collect::<Vec<_>>());
        self.linked = wanted;
    }

    /// The members that there are now, and whoever was said to lead them. A node to which none of
    /// them says what it is may have been taken out since: all of them may be gone.
    fn wanted(&self) -> BTreeSet<Address> {
        let mut wanted = self.own.known();
        if wanted.is_empty() || self.is_unheard() {
            wanted.extend(self.others.iter().cloned());
        }
        wanted.extend(self.leader.clone());
        wanted
    }

    /// Joins the cluster, and waits until this node is what it will be. Where it is a member
    /// already, it makes its address known. None if no leader has done anything for it for as long as
    /// `patience`; to hold what the others hold may take longer.
    ///
    /// # Errors
    /// When the cluster will not have this node.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the node what it has become so far; it may be called again.
    pub(crate) async fn join(
        &mut self,
        patience: Duration,
    ) -> Result<Option<Joined>, FoundingError> {
        self.helped = self.host.now();
        while self.host.now() - self.helped < patience {
            self.link();
            if let Some(joined) = self.ask().await? {
                return Ok(Some(joined));
            }
            self.host.sleep(AGAIN_AFTER).await;
        }
        Ok(None)
    }

    /// Asks once; what this node is, if that is settled.
    ///
    /// # Errors
    /// When the cluster will not have this node.
    pub(crate) async fn ask(&mut self) -> Result<Option<Joined>, FoundingError> {
        let answer = self.answer().await;
        let name = || self.me.name.clone();
        match answer {
            Ok(JoinAnswer::Member) => Ok(Some(self.became(Joined::Voter))),
            Ok(JoinAnswer::Learner) => Ok(Some(self.became(Joined::Learner))),
            Ok(JoinAnswer::LostItsData) => Err(FoundingError::LostItsData { name: name() }),
            Ok(JoinAnswer::Removed) => Err(FoundingError::Removed { name: name() }),
            Ok(JoinAnswer::Foreign) => Err(FoundingError::AnotherLife { name: name() }),
            Ok(JoinAnswer::TooOld { needs }) => {
                let known = self.own.supported();
                Err(FoundingError::TooOld { name: name(), known, needs })
            }
            Ok(JoinAnswer::NotLeader { leader }) => {
                self.leader = (!leader.is_empty()).then(|| leader.as_str().into());
                Ok(None)
            }
            Ok(answer) => {
                tracing::debug!(?answer, "joining");
                self.belonged |= matches!(answer, JoinAnswer::CatchingUp { .. });
                self.helped = self.host.now();
                Ok(None)
            }
            Err(why) => {
                tracing::debug!(why, "nobody to join");
                self.leader = None;
                Ok(None)
            }
        }
    }

    fn became(&mut self, joined: Joined) -> Joined {
        self.heard = self.host.now();
        self.belonged = true;
        joined
    }

    /// True if no leader has said for a while what this node is.
    fn is_unheard(&self) -> bool {
        self.host.now() - self.heard >= UNHEARD_MAX
    }

    async fn answer(&mut self) -> Result<JoinAnswer, String> {
        let says = Saying {
            address: self.address.to_string(),
            incarnation: self.own.incarnation,
            belonged: self.belonged,
            version: self.own.supported(),
            full: self.own.room.is_full(),
        };
        let Some(to) = self.whom() else {
            return self.own.admit(Joiner { peer: self.me.clone(), says }).await;
        };
        let request = vec![messages::join(&says)];
        let within = if self.links.reach(&to) { STEP_WAIT } else { REACH_WAIT };
        let answer = self.links.call(&to, Topic::Membership, request, within).await;
        let answer = answer.map_err(|error| error.to_string())?;
        JoinAnswer::read(answer).map_err(|error| error.to_string())
    }

    /// Whom to ask next, if not this node itself: whoever was said to lead, or else, in turn, the one
    /// that this node takes for the leader and one of the others. A node that was taken out does not
    /// hear of those who lead later, though it may have led before.
    fn whom(&mut self) -> Option<Recipient> {
        if self.own.leads() && !self.is_unheard() {
            return None;
        }
        let said = self.leader.take();
        self.asked += 1;
        let known = leader_elsewhere(&self.own.raft).filter(|_| !self.asked.is_multiple_of(2));
        if said.is_none() && known.is_some() {
            return known;
        }
        let in_turn = self.linked.iter().nth(self.asked / 2 % self.linked.len().max(1));
        let address = said.or_else(|| in_turn.cloned())?;
        (address != self.address).then_some(Recipient { address, id: None })
    }
}
