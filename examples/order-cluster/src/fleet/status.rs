use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::client::{Call, Client};

/// How long a process that runs may take to say how it is.
const STATUS_WAIT: Duration = Duration::from_millis(500);

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
    /// By which version of the engine's rules it decides.
    pub engine_version: u32,
    /// All members, the node itself included.
    pub members: Vec<MemberStatus>,
    /// How far its journal is.
    pub journal: Journal,
}

impl Status {
    /// What the node at `address` says; none if it does not say so at once.
    ///
    /// # Cancel safety
    /// Nothing is lost: ask again.
    pub async fn of(address: SocketAddr) -> Option<Self> {
        let mut client = Client::new(vec![address]).patience(STATUS_WAIT);
        client.send(&Call::get("/cluster/status")).await.ok()?.json()
    }
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
    /// The newest version of the engine's rules that it goes along with.
    pub engine_version: u32,
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
