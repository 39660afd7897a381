//! How a node comes into a cluster that exists: the leader takes it as a learner, and gives it a
//! vote once it has caught up, if it is among the members that the leader was given.
//!
//! The one who joins asks again and again; the leader does one step each time and keeps nothing,
//! so that a change of leader in between costs nothing.

mod messages;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use catga_host::{BoxFuture, Host};
use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};

use self::messages::{JoinAnswer, Joiner};
use crate::{Address, FoundingError, Node, Peer, Peers, Raft, Recipient, Serve, Topic};

/// A learner that lacks no more entries gets its vote: while it fetches them, the others are a
/// quorum without it.
const LAG_MAX: u64 = 1024;

/// How long the leader may take for one step.
const STEP_WAIT: Duration = Duration::from_secs(5);

/// How soon the next step is asked for.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Takes nodes into the cluster, where this one leads.
#[derive(Clone)]
pub(crate) struct Admission {
    raft: Raft,
    /// Where those are that are to have a vote.
    members: Vec<String>,
}

impl Admission {
    pub(crate) fn new(raft: Raft, members: Vec<String>) -> Self {
        Self { raft, members }
    }

    /// One step towards the membership of `joiner`.
    async fn admit(&self, joiner: Joiner) -> Result<JoinAnswer, String> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let members = metrics.membership_config.membership();
        if metrics.current_leader != Some(metrics.id) {
            let leader = metrics.current_leader.and_then(|id| members.get_node(&id));
            let leader = leader.map(|node| node.address.clone()).unwrap_or_default();
            return Ok(JoinAnswer::NotLeader { leader });
        }
        let Joiner { peer, address } = joiner;
        let known = members.nodes().find(|(id, node)| **id == peer.id || node.name == peer.name);
        let node = Node::new(peer.name.clone(), address.clone(), peer.store);
        let change = match known {
            Some((id, known))
                if (*id, known.store, &known.name) != (peer.id, peer.store, &peer.name) =>
            {
                return Ok(JoinAnswer::LostItsData);
            }
            Some((id, known)) if known.address != address => {
                ChangeMembers::SetNodes(BTreeMap::from([(*id, node)]))
            }
            Some((id, _)) if members.voter_ids().any(|voter| voter == *id) => {
                return Ok(JoinAnswer::Member);
            }
            Some(_) if !self.members.contains(&address) => return Ok(JoinAnswer::Learner),
            Some((id, _)) => {
                let last = metrics.last_log_index.unwrap_or_default();
                let has = metrics.replication.as_ref().and_then(|all| all.get(id).cloned());
                let has = has.flatten().map_or(0, |has| has.index);
                if has + LAG_MAX < last {
                    return Ok(JoinAnswer::CatchingUp { has, last });
                }
                ChangeMembers::AddVoterIds(BTreeSet::from([*id]))
            }
            None => ChangeMembers::AddNodes(BTreeMap::from([(peer.id, node)])),
        };
        tracing::info!(node = %peer.name, address, ?change, "the membership changes");
        match self.raft.change_membership(change, true).await {
            Ok(_) => Ok(JoinAnswer::Step),
            // Another change is under way, or leadership is: both pass.
            Err(RaftError::APIError(
                ClientWriteError::ChangeMembershipError(_) | ClientWriteError::ForwardToLeader(_),
            )) => Ok(JoinAnswer::Step),
            Err(error) => Err(error.to_string()),
        }
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
            let address = messages::read_join(request).map_err(|error| error.to_string())?;
            let answer = this.admit(Joiner { peer, address }).await?;
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

/// Joins the cluster that the nodes at `others` belong to, as `me` at `address`, and waits until
/// this node is what it will be. Where it is a member already, it makes its address known.
///
/// # Errors
/// When the cluster knows this node with other data.
///
/// # Cancel safety
/// Dropping the future leaves the node what it has become so far; it may be called again.
pub(crate) async fn join(
    host: &dyn Host,
    peers: &dyn Peers,
    me: &Peer,
    address: &Address,
    others: &[Address],
    own: &Admission,
) -> Result<Joined, FoundingError> {
    let request = messages::join(address);
    let mut asked = others.iter().cycle();
    let mut ask: Option<Address> = None;
    loop {
        let to = ask.take().or_else(|| asked.next().cloned());
        let answer = match to {
            // This node may lead itself, and is its own leader where there is no other.
            None => own.admit(Joiner { peer: me.clone(), address: address.to_string() }).await,
            Some(to) if to == *address => {
                own.admit(Joiner { peer: me.clone(), address: address.to_string() }).await
            }
            Some(to) => {
                let to = Recipient { address: to, id: None };
                let answer = peers.call(&to, Topic::Membership, vec![request.clone()], STEP_WAIT);
                match answer.await {
                    Ok(answer) => JoinAnswer::read(answer).map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                }
            }
        };
        match answer {
            Ok(JoinAnswer::Member) => return Ok(Joined::Voter),
            Ok(JoinAnswer::Learner) => return Ok(Joined::Learner),
            Ok(JoinAnswer::LostItsData) => {
                return Err(FoundingError::LostItsData { name: me.name.clone() });
            }
            Ok(JoinAnswer::NotLeader { leader }) if !leader.is_empty() => {
                ask = Some(leader.as_str().into());
            }
            Ok(answer) => tracing::debug!(?answer, "joining"),
            Err(why) => tracing::debug!(why, "nobody to join"),
        }
        host.sleep(AGAIN_AFTER).await;
    }
}
