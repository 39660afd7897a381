use std::sync::Arc;

use catga_core::{Fault, NodeName};

use crate::ClusterView;

/// A change of who belongs to a cluster, or leads it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MembershipChange {
    /// Gives a learner its vote.
    Promote(NodeName),
    /// Takes a member out.
    Remove(NodeName),
    /// Has a voter lead.
    Lead(NodeName),
}

/// Why the membership was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
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

impl ClusterView {
    /// Gives the learner called `name` its vote, once it holds what the others do; nothing is left
    /// to do if it has one.
    ///
    /// A node that is started with an empty directory and finds a cluster follows it without a vote;
    /// this is how a cluster grows beyond those that it was founded with.
    ///
    /// # Errors
    /// See [`MembershipError`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether it gets its vote; asked again, it goes on.
    pub async fn promote(&self, name: impl Into<Arc<str>>) -> Result<(), MembershipError> {
        self.change(MembershipChange::Promote(NodeName::new(name))).await
    }

    /// Takes the member called `name` out of the cluster, whether it runs or not. If it leads, it
    /// hands its leadership over first. Its process stops when it hears of it, and its directory is
    /// of no use any more; started again with an empty one, it joins as a new node: so a node is
    /// replaced that lost its disk.
    ///
    /// # Errors
    /// See [`MembershipError`]. It is refused where those who remain would not be a majority of
    /// themselves, as far as they can be reached.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether it is taken out; asked again, it goes on.
    pub async fn remove(&self, name: impl Into<Arc<str>>) -> Result<(), MembershipError> {
        self.change(MembershipChange::Remove(NodeName::new(name))).await
    }

    /// Has the voter called `name` lead. What is under way goes on: a command whose leader changes
    /// runs again under its id.
    ///
    /// # Errors
    /// See [`MembershipError`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves open who leads.
    pub async fn lead(&self, name: impl Into<Arc<str>>) -> Result<(), MembershipError> {
        self.change(MembershipChange::Lead(NodeName::new(name))).await
    }

    async fn change(&self, change: MembershipChange) -> Result<(), MembershipError> {
        match &self.node().0.committer.peers {
            Some(peers) => peers.change(change).await,
            None => {
                let why = "this is a process of its own, and belongs to no cluster".to_owned();
                Err(MembershipError::Refused(why))
            }
        }
    }
}
