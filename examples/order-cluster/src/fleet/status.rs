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
    /// How far its journal is.
    pub journal: Journal,
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
