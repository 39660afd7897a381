use std::collections::BTreeSet;

use catga_core::NodeName;
use catga_journal::EngineVersions;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::Fatal;

use crate::{Address, LinkState, NodeId, RaftLog, Recipient, TypeConfig};

/// A leader that is so many entries ahead of a member says that it lags.
const LAG_MAX: u64 = 10_000;

/// A member as one node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberView {
    /// Its name.
    pub name: NodeName,
    /// Its number.
    pub id: NodeId,
    /// Where its peers reach it.
    pub address: Address,
    /// True if it has a vote.
    pub votes: bool,
    /// True if it leads, as far as this node knows.
    pub leads: bool,
    /// The newest engine version that it goes along with, as it has said.
    pub engine_version: u32,
    /// Whether it keeps up.
    pub standing: Standing,
}

/// Whether a member keeps up, as far as a node can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Standing {
    /// There is a link to it, and this node knows of nothing that it lacks.
    Available,
    /// It lacks much of what this node, its leader, has.
    Lagging,
    /// There is no link to it.
    Unreachable,
}

impl RaftLog {
    /// The members as this node sees them, itself included, by name.
    pub fn roster(&self) -> Vec<MemberView> {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let members = metrics.membership_config.membership();
        let last = metrics.last_log_index.unwrap_or_default();
        let lags = |id: &NodeId| match &metrics.replication {
            Some(replication) => {
                let has = replication.get(id).and_then(|has| has.as_ref()).map(|has| has.index);
                has.unwrap_or_default() + LAG_MAX < last
            }
            None => false,
        };
        let mut roster: Vec<MemberView> = members
            .nodes()
            .map(|(id, node)| {
                let address: Address = node.address.as_str().into();
                let is_me = *id == metrics.id;
                let standing = match *id {
                    _ if is_me => Standing::Available,
                    _ if !matches!(*self.peers.link(&address).borrow(), LinkState::Up(_)) => {
                        Standing::Unreachable
                    }
                    _ if lags(id) => Standing::Lagging,
                    _ => Standing::Available,
                };
                MemberView {
                    name: node.name.clone(),
                    id: *id,
                    address,
                    votes: members.voter_ids().any(|voter| voter == *id),
                    leads: metrics.current_leader == Some(*id),
                    // A build that says nothing knows the first.
                    engine_version: node.version.max(EngineVersions::FIRST),
                    standing,
                }
            })
            .collect();
        roster.sort_by(|one, other| one.name.cmp(&other.name));
        roster
    }

    /// True while a change of voters is half done: a majority of the former ones is needed beside one
    /// of the new.
    pub fn is_joint(&self) -> bool {
        let metrics = self.raft().server_metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().get_joint_config().len() > 1
    }

    /// Those who have a vote, as of the last entry in the log that says so.
    pub(crate) async fn voters(&self) -> Result<BTreeSet<NodeId>, Fatal<TypeConfig>> {
        let voters = self.raft.with_raft_state(|state| {
            let members = state.membership_state.effective();
            members.voter_ids().collect()
        });
        voters.await
    }

    /// Where the member called `name` is reached; none if there is no such member.
    pub fn recipient(&self, name: &NodeName) -> Option<Recipient> {
        let metrics = self.raft().server_metrics();
        let metrics = metrics.borrow_watched();
        let mut nodes = metrics.membership_config.membership().nodes();
        let (id, node) = nodes.find(|(_, node)| node.name == *name)?;
        Some(Recipient { address: node.address.as_str().into(), id: Some(*id) })
    }
}
