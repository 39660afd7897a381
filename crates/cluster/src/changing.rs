//! Who belongs to a cluster, as its operator decides: learners get their votes, members are taken
//! out, leadership moves.
//!
//! Whoever asks does so at any node, again and again until it is done; the leader does one step each
//! time and keeps nothing, so that a change of leader in between costs nothing. A change of voters
//! is two entries, of which the first needs majorities of both the old voters and the new.

#[cfg(test)]
mod fuzz;
mod messages;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_core::{Fault, FaultCode, NodeName};
use catga_host::{BoxFuture, Host, timeout};
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::metrics::RaftMetrics;
use openraft::{AsyncRuntime, ChangeMembers};

use self::messages::Stepped;
use crate::hand_over::{HandOver, is_reachable};
use crate::joining::{lag, leader_elsewhere};
use crate::lacking::Lacking;
use crate::settled::is_settled;
use crate::{CallError, NodeId, Peer, Peers, Raft, RaftLog, Rt, Serve, Topic, TypeConfig};

/// How long the leader may take for one step.
const STEP_WAIT: Duration = Duration::from_secs(5);

/// How soon the next step is asked for.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// A change of who belongs to a cluster, or leads it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Gives a learner its vote, once it holds what the others do.
    Promote(NodeName),
    /// Takes a member out, whether it runs or not. One that leads hands over first.
    Remove(NodeName),
    /// Has a voter lead.
    Lead(NodeName),
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// Nobody of that name belongs to the cluster.
    #[error("no member is called {name}: they are {}", members.join(", "))]
    NoSuchMember {
        /// The name.
        name: NodeName,
        /// The names that there are.
        members: Vec<String>,
    },
    /// It would harm the cluster, or makes no sense: why.
    #[error("{0}")]
    Refused(String),
    /// It was not done in time; it may be done yet.
    #[error("{0}")]
    Unfinished(Fault),
}

/// Changes the cluster where this node leads, and has the leader do so where it does not.
#[derive(Clone)]
pub(crate) struct Changing {
    raft: Raft,
    peers: Arc<dyn Peers>,
    /// How long another voter may take to lead.
    lead_within: Duration,
}

/// What has come so far of the attempts at a change.
struct Tried {
    /// Why the last one was not the last.
    why: String,
    /// A step may have been done whose answer was lost.
    may_be_done: bool,
}

impl Change {
    /// Whom it is about.
    pub fn member(&self) -> &NodeName {
        let (Self::Promote(name) | Self::Remove(name) | Self::Lead(name)) = self;
        name
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promote(name) => write!(f, "the promotion of {name}"),
            Self::Remove(name) => write!(f, "the removal of {name}"),
            Self::Lead(name) => write!(f, "the leadership of {name}"),
        }
    }
}

impl Changing {
    pub(crate) fn new(raft: Raft, peers: Arc<dyn Peers>, lead_within: Duration) -> Self {
        Self { raft, peers, lead_within }
    }

    /// Makes `change`, asking whoever leads, until it is done or `within` has passed.
    ///
    /// # Errors
    /// See [`ChangeError`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether the change is made; asked again, it goes on.
    pub(crate) async fn make(
        &self,
        host: &dyn Host,
        change: &Change,
        within: Duration,
    ) -> Result<(), ChangeError> {
        let mut tried = Tried { why: "no leader is known".to_owned(), may_be_done: false };
        let made = timeout(host, within, self.until_made(host, change, &mut tried)).await;
        made.unwrap_or_else(|_| {
            let message = format!("{change} was not finished within {within:?}: {}", tried.why);
            let code = match tried.may_be_done {
                true => FaultCode::DeadlineInDoubt,
                false => FaultCode::LogUnavailable,
            };
            Err(ChangeError::Unfinished(Fault::new(code, message)))
        })
    }

    async fn until_made(
        &self,
        host: &dyn Host,
        change: &Change,
        tried: &mut Tried,
    ) -> Result<(), ChangeError> {
        let Tried { why, may_be_done } = tried;
        loop {
            match self.next_step(change).await {
                Ok(Stepped::Done) => return Ok(()),
                Ok(Stepped::NoSuchMember { .. })
                    if *may_be_done && matches!(change, Change::Remove(_)) =>
                {
                    return Ok(());
                }
                Ok(Stepped::NoSuchMember { members }) => {
                    let name = change.member().clone();
                    return Err(ChangeError::NoSuchMember { name, members });
                }
                Ok(Stepped::Refused { why }) => return Err(ChangeError::Refused(why)),
                Ok(Stepped::NotLeader) => "no leader is known".clone_into(why),
                Ok(Stepped::Again { why: again }) => {
                    *why = again;
                    *may_be_done = true;
                }
                Err(CallError::NotSent(unsent)) => *why = unsent,
                Err(error) => {
                    *why = error.to_string();
                    *may_be_done = true;
                }
            }
            host.sleep(AGAIN_AFTER).await;
        }
    }

    /// One step, here or at the leader that this node knows.
    async fn next_step(&self, change: &Change) -> Result<Stepped, CallError> {
        let Some(to) = leader_elsewhere(&self.raft) else { return Ok(self.step(change).await) };
        let request = vec![messages::change(change)];
        let answer = self.peers.call(&to, Topic::Membership, request, STEP_WAIT).await?;
        Stepped::read(answer).map_err(|error| CallError::Lost(error.to_string()))
    }

    /// One step towards `change`, where this node leads.
    async fn step(&self, change: &Change) -> Stepped {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let stepped = self.step_by(&metrics, change).await;
        match stepped {
            Stepped::NotLeader | Stepped::Again { .. } => stepped,
            _ if is_settled(&self.raft, &metrics).await => stepped,
            _ => Stepped::Again { why: "this node may not lead any more".to_owned() },
        }
    }

    /// The same by `metrics`, of a node that may be deposed and not know it.
    async fn step_by(&self, metrics: &RaftMetrics<TypeConfig>, change: &Change) -> Stepped {
        let stored = Arc::clone(&metrics.membership_config);
        let members = stored.membership();
        if metrics.current_leader != Some(metrics.id) {
            return Stepped::NotLeader;
        }
        let again = |why: &str| Stepped::Again { why: why.to_owned() };
        let Some((id, _)) = members.nodes().find(|(_, node)| node.name == *change.member()) else {
            let mut names: Vec<_> =
                members.nodes().map(|(_, node)| node.name.to_string()).collect();
            names.sort();
            return Stepped::NoSuchMember { members: names };
        };
        if members.get_joint_config().len() > 1 {
            return again("another change is under way");
        }
        let (id, votes) = (*id, members.voter_ids().any(|voter| voter == *id));
        let (change, retain) = match change {
            Change::Promote(_) if votes => return Stepped::Done,
            Change::Lead(_) if id == metrics.id => return Stepped::Done,
            Change::Promote(_) if !is_reachable(&*self.peers, &stored, id) => {
                return again("it cannot be reached");
            }
            Change::Promote(_) => match lag(metrics, id) {
                Some((has, last)) => {
                    let why = format!("it has {has} entries of {last}, and is catching up");
                    return Stepped::Again { why };
                }
                None => (ChangeMembers::AddVoterIds(BTreeSet::from([id])), true),
            },
            Change::Lead(name) if !votes => {
                let why = format!("{name} has no vote, so it cannot lead: promote it first");
                return Stepped::Refused { why };
            }
            Change::Lead(_) if lag(metrics, id).is_some() => return again("it is catching up"),
            Change::Lead(_) => return self.hand_over(|other| other == id).await,
            Change::Remove(_) if !votes => {
                (ChangeMembers::RemoveNodes(BTreeSet::from([id])), false)
            }
            Change::Remove(name) => {
                if let Some(why) = self.harm(metrics, id, name) {
                    return Stepped::Refused { why };
                }
                if id == metrics.id {
                    return self.hand_over(|_| true).await;
                }
                (ChangeMembers::RemoveVoters(BTreeSet::from([id])), false)
            }
        };
        tracing::info!(?change, "the membership changes");
        match Rt::timeout(STEP_WAIT, self.raft.change_membership(change, retain)).await {
            Ok(Ok(_)) => Stepped::Done,
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => {
                again("leadership has moved")
            }
            Ok(Err(error)) => Stepped::Again { why: error.to_string() },
            Err(_) => again("nobody knows yet what became of it"),
        }
    }

    /// Why the cluster would not work any more without the voter numbered `id`.
    fn harm(
        &self,
        metrics: &RaftMetrics<TypeConfig>,
        id: NodeId,
        name: &NodeName,
    ) -> Option<String> {
        let members = &metrics.membership_config;
        let rest: Vec<NodeId> = members.voter_ids().filter(|voter| *voter != id).collect();
        if rest.is_empty() {
            return Some(format!("{name} is the only member with a vote: the data is there alone"));
        }
        let is_there =
            |voter: &&NodeId| **voter == metrics.id || is_reachable(&*self.peers, members, **voter);
        let there = rest.iter().filter(is_there).count();
        (there <= rest.len() / 2).then(|| {
            format!(
                "without {name} there are {} voters, of which {there} can be reached: they would \
                 not be a majority. Bring one back or add one first",
                rest.len()
            )
        })
    }

    /// Has another voter lead that is `wanted`.
    async fn hand_over(&self, wanted: impl Fn(NodeId) -> bool) -> Stepped {
        match self.handing_over().to(wanted).await {
            Ok(handed) => Stepped::Again { why: format!("leadership was handed over: {handed:?}") },
            Err(fault) => Stepped::Again { why: fault.to_string() },
        }
    }

    fn handing_over(&self) -> HandOver<'_> {
        HandOver { raft: &self.raft, peers: &*self.peers, within: self.lead_within }
    }

    /// Has a voter lead whose disk has room, if there is one: this node's has none.
    pub(crate) async fn step_aside(&self, lacking: &Lacking) {
        match self.handing_over().to(|id| !lacking.has(id)).await {
            Ok(handed) => tracing::warn!(?handed, "the disk of this leader is full"),
            Err(fault) => tracing::debug!(%fault, "nobody has room"),
        }
    }

    /// Finishes a change of voters that a former leader has left in the middle, if this one leads.
    pub(crate) async fn finish(&self) {
        let goal = {
            let metrics = self.raft.server_metrics();
            let metrics = metrics.borrow_watched();
            let configs = metrics.membership_config.membership().get_joint_config();
            if metrics.current_leader != Some(metrics.id) || configs.len() < 2 {
                return;
            }
            configs.last().cloned().unwrap_or_default()
        };
        // One that is under way is none that was left: it is refused here then.
        let changed = self.raft.change_membership(ChangeMembers::ReplaceAllVoters(goal), false);
        // Of a leader that is deposed meanwhile nobody may ever say what became of it.
        match Rt::timeout(STEP_WAIT, changed).await {
            Ok(Ok(_)) => tracing::info!("a change of the membership was finished"),
            Ok(Err(error)) => tracing::debug!(%error, "a change of the membership is under way"),
            Err(_) => {}
        }
    }
}

impl RaftLog {
    /// What changes the membership at this node.
    pub(crate) fn changing(&self) -> Changing {
        let peers = Arc::clone(&self.peers);
        Changing::new(self.raft.clone(), peers, self.options.answer_timeout)
    }

    /// Changes who belongs to the cluster, or leads it; whichever node this is, the leader does it.
    ///
    /// # Errors
    /// See [`ChangeError`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether the change is made; asked again, it goes on.
    pub async fn change(
        &self,
        host: &dyn Host,
        change: &Change,
        within: Duration,
    ) -> Result<(), ChangeError> {
        self.changing().make(host, change, within).await
    }
}

impl Serve for Changing {
    fn serve(
        &self,
        from: &Peer,
        _: Topic,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        let (this, from) = (self.clone(), from.name.clone());
        Box::pin(async move {
            let change = messages::read_change(request).map_err(|error| error.to_string())?;
            tracing::info!(%change, %from, "asked for");
            Ok(this.step(&change).await.encode())
        })
    }
}
