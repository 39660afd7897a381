use axum::http::Method;
use axum::routing::get;
use axum::{Json, Router};
use catga_runtime::{Node, NodeState};
use serde::Serialize;
use utoipa::ToSchema;

use crate::document::BuiltIn;
use crate::leaving::Leaving;
use crate::operation::named;

/// What OpenAPI says of it.
pub(crate) const OPERATION: BuiltIn = BuiltIn {
    method: Method::GET,
    path: "/cluster/status",
    name: "ClusterStatus",
    summary: "The cluster as this node sees it",
    for_operators: false,
    param: None,
    status: "200",
    answer: "The cluster as this node sees it",
    reply: Some(named::<ClusterStatus>),
};

/// The cluster as one node sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterStatus {
    /// The node that answers.
    node_id: String,
    /// True if it leads.
    is_leader: bool,
    /// Who leads, if that is known.
    leader_id: Option<String>,
    /// The latest term that the node knows.
    term: u64,
    /// `leader`, `follower`, `learner`, `candidate`, `starting`, `draining` or `no-quorum`.
    #[schema(example = "leader")]
    status: String,
    /// All members, the node itself included.
    members: Vec<Member>,
    /// What an acknowledged command survives.
    durability: Durability,
    /// The version of the engine's rules in force: newer ones begin once every member goes along with
    /// them.
    #[schema(example = 2)]
    engine_version: u32,
    /// How far the node's journal is, and what it has come to.
    journal: Journal,
    /// By what the node proves to its peers that it is itself, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate>,
}

/// One member of a cluster.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    /// Its name.
    id: String,
    /// Where it serves, if that is known.
    #[schema(example = "http://localhost:5001")]
    endpoint: Option<String>,
    /// `available`, `lagging` or `unreachable`.
    #[schema(example = "available")]
    status: String,
    /// True if it leads.
    is_leader: bool,
    /// True if it counts towards a majority; a learner only follows.
    has_vote: bool,
    /// The newest version of the engine's rules that it goes along with.
    engine_version: u32,
}

/// What an acknowledged command survives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Durability {
    /// The kind of log.
    #[schema(example = "raft")]
    log: String,
    /// `nothing`, `process-end`, `power-loss` or `failover`.
    #[schema(example = "failover")]
    survives: String,
}

/// The certificate of a node.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Certificate {
    /// How long it is valid, in seconds; zero once it has expired.
    #[schema(example = 2592000)]
    expires_in_s: u64,
    /// Why a newer one was not taken, if it was not.
    refused: Option<String>,
}

/// A journal as one node has applied it. Nodes at the same position have the same hash; if they do
/// not, they have decided differently.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Journal {
    /// Everything up to here is applied.
    position: String,
    /// The rolling hash over it, as hexadecimal digits.
    #[schema(example = "8f1d3c2b5a697e04")]
    hash: String,
}

pub(crate) fn router(node: &Node, leaving: &Leaving) -> Router {
    let (node, leaving) = (node.clone(), leaving.clone());
    let look = async move || Json(status(&node, leaving.is_draining()));
    Router::new().route(OPERATION.path, get(look))
}

fn status(node: &Node, draining: bool) -> ClusterStatus {
    let seen = node.cluster().status();
    let state = if draining { NodeState::Draining } else { seen.state };
    let (position, hash) = node.rolling_hash();
    let members = seen.members.into_iter().map(|member| Member {
        id: member.name.to_string(),
        endpoint: member.endpoint,
        status: member.state.to_string(),
        is_leader: member.is_leader,
        has_vote: member.has_vote,
        engine_version: member.engine_version,
    });
    ClusterStatus {
        node_id: seen.node.to_string(),
        is_leader: seen.is_leader,
        leader_id: seen.leader.map(|leader| leader.to_string()),
        term: seen.term,
        status: state.to_string(),
        members: members.collect(),
        durability: Durability {
            log: seen.guarantees.log.to_owned(),
            survives: seen.guarantees.survives.to_string(),
        },
        engine_version: seen.engine.active,
        certificate: seen.certificate.map(|certificate| Certificate {
            expires_in_s: certificate.valid_for.as_secs(),
            refused: certificate.refused,
        }),
        journal: Journal { position: position.to_string(), hash: format!("{hash:016x}") },
    }
}
