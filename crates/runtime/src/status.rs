use std::fmt;

use catga_core::{Each, Fault, NodeName, Offset, Position, Quarantined};
use catga_engine::FIRST_ENGINE_VERSION;
use catga_journal::{EngineVersions, Guarantees, Role};

use crate::{CertificateStatus, Node};

/// The node as a member of its cluster. A single process is its own leader.
#[derive(Clone, Debug)]
pub struct ClusterView {
    node: Node,
}

impl ClusterView {
    pub(crate) fn new(node: Node) -> Self {
        Self { node }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// The cluster as this node sees it now.
    pub fn status(&self) -> ClusterStatus {
        let leadership = self.node.0.journal.leadership();
        let state = match (self.node.0.state(), leadership.role) {
            (NodeState::Starting, _) => NodeState::Starting,
            (NodeState::Draining, _) => NodeState::Draining,
            (_, Role::Leader) => NodeState::Leader,
            (_, _) if leadership.leader.is_none() => NodeState::NoQuorum,
            (_, Role::Learner) => NodeState::Learner,
            (_, Role::Candidate) => NodeState::Candidate,
            (_, _) => NodeState::Follower,
        };
        let name = self.node.name();
        let is_leader = leadership.role == Role::Leader;
        let endpoint = self.node.endpoint().map(ToOwned::to_owned);
        let peers = self.node.0.committer.peers.as_ref();
        let mut members = peers.map_or_else(Vec::new, |peers| peers.members());
        match members.iter_mut().find(|member| member.name == name) {
            Some(me) => me.endpoint = me.endpoint.take().or(endpoint),
            None => members.push(MemberStatus {
                name: name.clone(),
                endpoint,
                state: MemberState::Available,
                is_leader,
                has_vote: true,
                engine_version: self.node.0.journal.engine().supported,
            }),
        }
        ClusterStatus {
            node: name,
            is_leader,
            leader: leadership.leader,
            term: leadership.term,
            state,
            members,
            is_changing: peers.is_some_and(|peers| peers.is_changing()),
            guarantees: self.node.0.journal.guarantees(),
            engine: self.node.0.journal.engine(),
            sessions: self.node.0.journal.nodes().into_iter().map(NodeName::new).collect(),
            certificate: CertificateStatus::of(&self.node),
        }
    }

    /// Looks at once whether the files of TLS have changed, as the node does from time to time, and
    /// takes them. True if they have; false as well if there is no TLS.
    ///
    /// # Errors
    /// Why the new ones were not taken, as a fault not executed; the old ones go on.
    ///
    /// # Cancel safety
    /// Dropping the future may or may not have taken them.
    pub async fn reload_certificate(&self) -> Result<bool, Fault> {
        match &self.node.0.committer.peers {
            Some(peers) => peers.reload_certificate().await.map_err(Fault::invalid),
            None => Ok(false),
        }
    }
}

/// A cluster as one node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// The node that looked.
    pub node: NodeName,
    /// True if it leads.
    pub is_leader: bool,
    /// Who leads, if that is known.
    pub leader: Option<NodeName>,
    /// The latest term that the node knows.
    pub term: u64,
    /// What the node is doing.
    pub state: NodeState,
    /// All members, the node itself included.
    pub members: Vec<MemberStatus>,
    /// True while a change of voters is half done: until its second half is committed, majorities of
    /// both the former voters and the new ones are needed.
    pub is_changing: bool,
    /// What an acknowledged effect survives.
    pub guarantees: Guarantees,
    /// By which version of the engine's rules the node's journal decides, and up to which it goes
    /// along. While builds differ all decide by the oldest rules; newer ones begin once every member
    /// goes along with them.
    pub engine: EngineVersions,
    /// The nodes whose message ids the journal remembers, by name. Of one that has left it forgets
    /// them after a while.
    pub sessions: Vec<NodeName>,
    /// By what the node proves to its peers that it is itself, if it does.
    pub certificate: Option<CertificateStatus>,
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeState {
    /// It leads.
    Leader,
    /// It follows a leader.
    Follower,
    /// It follows without a vote.
    Learner,
    /// It asks for votes.
    Candidate,
    /// It has not finished starting.
    Starting,
    /// It finishes what is under way and takes nothing new.
    Draining,
    /// It knows no leader.
    NoQuorum,
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Learner => "learner",
            Self::Candidate => "candidate",
            Self::Starting => "starting",
            Self::Draining => "draining",
            Self::NoQuorum => "no-quorum",
        })
    }
}

/// One member of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberStatus {
    /// Its name.
    pub name: NodeName,
    /// Where it serves, such as `http://localhost:5001`, if that is known.
    pub endpoint: Option<String>,
    /// Whether it keeps up.
    pub state: MemberState,
    /// True if it leads.
    pub is_leader: bool,
    /// True if it counts towards a majority; a learner only follows.
    pub has_vote: bool,
    /// The newest version of the engine's rules that it goes along with; see
    /// [`ClusterStatus::engine`].
    pub engine_version: u32,
}

impl MemberStatus {
    /// A member called `name` that has a vote, of which no endpoint is known.
    pub fn new(name: NodeName, state: MemberState, is_leader: bool) -> Self {
        let engine_version = FIRST_ENGINE_VERSION;
        Self { name, endpoint: None, state, is_leader, has_vote: true, engine_version }
    }

    /// The same member without a vote.
    #[must_use]
    pub fn without_vote(mut self) -> Self {
        self.has_vote = false;
        self
    }

    /// The same member, which goes along with engine versions up to `version`.
    #[must_use]
    pub fn with_engine_version(mut self, version: u32) -> Self {
        self.engine_version = version;
        self
    }

    /// The same member, which serves at `endpoint`.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }
}

/// Whether a member keeps up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemberState {
    /// It keeps up.
    Available,
    /// It is reachable and behind.
    Lagging,
    /// It does not answer.
    Unreachable,
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Available => "available",
            Self::Lagging => "lagging",
            Self::Unreachable => "unreachable",
        })
    }
}

/// How a node is, for probes and people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// True if it takes commands and queries.
    pub ready: bool,
    /// What is wrong without keeping it from serving; empty if nothing is.
    pub degraded: Vec<String>,
    /// Why it is not ready; empty if it is.
    pub not_ready: Vec<String>,
}

/// How far a projection is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProjectionStatus {
    /// Its written name.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// Everything up to here is folded.
    pub position: Position,
    /// How many effects it is behind this node's journal.
    pub behind: u64,
    /// Everything up to here is in its last checkpoint, so that a start folds only what comes
    /// after; none if it has no checkpoint.
    pub checkpointed: Option<Offset>,
    /// Why it may not be read, if it may not.
    pub quarantined: Option<Quarantined>,
}

/// How far a subscriber is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriberStatus {
    /// Its written name.
    pub name: &'static str,
    /// Who gets its events.
    pub each: Each,
    /// True if this node delivers to it: always if each node does.
    pub is_owner: bool,
    /// Everything up to here was dealt with, as far as this node knows: the owner does.
    pub cursor: Offset,
    /// How many dead letters it has, as far as this node knows.
    pub dead_letters: usize,
    /// How many events wait behind them, as far as this node knows.
    pub parked: usize,
    /// What it is doing.
    pub state: SubscriberState,
}

impl SubscriberStatus {
    /// That of a subscriber which has not begun.
    pub(crate) fn new(name: &'static str, each: Each) -> Self {
        let is_owner = each == Each::Node;
        let state = if is_owner { SubscriberState::Running } else { SubscriberState::Idle };
        Self { name, each, is_owner, cursor: Offset::ZERO, dead_letters: 0, parked: 0, state }
    }

    /// What is wrong with it, for those who look after the node that delivers to it.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let Self { name, dead_letters, parked, .. } = self;
        let mut complaints = Vec::new();
        if let SubscriberState::Paused { error } = &self.state {
            complaints.push(format!("subscriber `{name}` is paused: {error}"));
        }
        if self.is_owner && *dead_letters > 0 {
            complaints.push(format!(
                "subscriber `{name}` has {dead_letters} dead letters, and {parked} events wait \
                 behind them"
            ));
        }
        complaints
    }
}

/// What a subscriber is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriberState {
    /// It waits for events or handles one.
    #[default]
    Running,
    /// Another node delivers to it.
    Idle,
    /// It failed and will get the same event again.
    Retrying {
        /// How often it was tried.
        attempts: u32,
        /// What it said last.
        error: String,
    },
    /// It does not go on with the event after the cursor and waits for `resume_subscriber`; or, if it
    /// has as many dead letters as it may, for their retry. Nothing is lost.
    Paused {
        /// Why.
        error: String,
    },
}
