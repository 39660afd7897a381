use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use catga_runtime::{Node, NodeState};
use serde::Serialize;

use crate::leaving::Leaving;

/// How the node is, for people and probes.
#[derive(Debug, Serialize)]
struct Health {
    status: Status,
    /// Not known while the node starts, like the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Why it is not healthy; empty if it is.
    reasons: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize)]
enum Status {
    Healthy,
    /// Something is wrong that does not keep it from serving.
    Degraded,
    /// It cannot serve now.
    Unhealthy,
}

#[derive(Clone)]
struct Probed {
    node: Node,
    version: String,
    leaving: Leaving,
}

/// `/health` says everything; the probes of orchestrators each ask one thing.
pub(crate) fn router(node: &Node, version: String, leaving: &Leaving) -> Router {
    let probed = Probed { node: node.clone(), version, leaving: leaving.clone() };
    let (ready, started, alive) = (probed.clone(), probed.clone(), probed.clone());
    Router::new()
        .route("/health", get(async move || probed.health()))
        .route("/readyz", get(async move || ready.ready()))
        .route("/startupz", get(async move || started.started()))
        // That it answers is the answer: a node without a quorum must not be restarted for it.
        .route("/livez", get(async move || alive.say(Status::Healthy, Vec::new())))
}

/// The same for a node that is starting: it lives, and that is all.
pub(crate) fn starting() -> Router {
    let say = |status, reasons| Health { status, node: None, version: None, reasons }.answer();
    let not_yet = async move || say(Status::Unhealthy, vec!["the node is starting".to_owned()]);
    Router::new()
        .route("/health", get(not_yet))
        .route("/readyz", get(not_yet))
        .route("/startupz", get(not_yet))
        .route("/livez", get(async move || say(Status::Healthy, Vec::new())))
}

impl Probed {
    fn health(&self) -> (StatusCode, Json<Health>) {
        let health = self.node.health();
        let mut reasons = self.not_ready();
        let status = match (reasons.is_empty(), health.degraded.is_empty()) {
            (false, _) => Status::Unhealthy,
            (true, false) => Status::Degraded,
            (true, true) => Status::Healthy,
        };
        reasons.extend(health.degraded);
        self.say(status, reasons)
    }

    fn ready(&self) -> (StatusCode, Json<Health>) {
        let reasons = self.not_ready();
        let status = if reasons.is_empty() { Status::Healthy } else { Status::Unhealthy };
        self.say(status, reasons)
    }

    fn started(&self) -> (StatusCode, Json<Health>) {
        if self.node.cluster().status().state == NodeState::Starting {
            self.say(Status::Unhealthy, vec!["the node has not finished starting".to_owned()])
        } else {
            self.say(Status::Healthy, Vec::new())
        }
    }

    fn not_ready(&self) -> Vec<String> {
        let mut reasons = self.node.health().not_ready;
        // The server drains first, so that nobody sends here what the node would refuse.
        if reasons.is_empty() && self.leaving.is_draining() {
            reasons.push("the node is draining".to_owned());
        }
        reasons
    }

    fn say(&self, status: Status, reasons: Vec<String>) -> (StatusCode, Json<Health>) {
        let (node, version) = (self.node.name().to_string(), self.version.clone());
        Health { status, node: Some(node), version: Some(version), reasons }.answer()
    }
}

impl Health {
    fn answer(self) -> (StatusCode, Json<Self>) {
        let code = match self.status {
            Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        };
        (code, Json(self))
    }
}
