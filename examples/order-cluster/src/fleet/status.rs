use serde::Deserialize;

/// What a node says at `/cluster/status`, as far as it is needed here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Status {
    /// The node that answers.
    pub node_id: String,
    /// True if it leads.
    pub is_leader: bool,
    /// Who leads, if it knows.
    pub leader_id: Option<String>,
    /// The latest term that it knows.
    pub term: u64,
    /// All members, the node itself included.
    pub members: Vec<MemberStatus>,
    /// How far its journal is.
    pub journal: Journal,
}

/// One member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MemberStatus {
    /// Its name.
    pub id: String,
    /// Where it serves, if that is known.
    pub endpoint: Option<String>,
    /// `available`, `lagging` or `unreachable`.
    pub status: String,
    /// True if it leads.
    pub is_leader: bool,
    /// True if it has a vote.
    pub has_vote: bool,
}

/// What a node has applied: at the same position all have the same hash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Journal {
    /// Everything up to here.
    pub position: String,
    /// The rolling hash over it.
    pub hash: String,
}
