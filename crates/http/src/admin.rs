//! What only an operator may do, over HTTP: change who belongs to the cluster, and back it up.
//!
//! There are no such routes unless the program names the token that opens them.

mod backup;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, post};
use catga_core::FaultCode;
use catga_runtime::{Backups, ClusterView, MembershipError, Node};

pub use self::token::{AdminToken, AdminTokenError};
use crate::document::BuiltIn;
use crate::observer::{Observer, trace_of};
use crate::problem::Problem;

/// What an operator may do, behind the token.
#[derive(Clone)]
struct Desk {
    node: Node,
    observer: Arc<Observer>,
    token: AdminToken,
    /// Where backups go, if they go anywhere: never where a request says.
    backups: Option<Backups>,
}

/// The routes that `token` opens.
pub(crate) fn router(
    node: &Node,
    observer: &Arc<Observer>,
    token: AdminToken,
    backups: Option<Backups>,
) -> Router {
    let desk = Desk { node: node.clone(), observer: observer.clone(), token, backups };
    let mut router = Router::new();
    for (operation, handler) in routes() {
        router = router.route(operation.path, handler);
    }
    router.route_layer(from_fn_with_state(desk.clone(), guard)).with_state(desk)
}

/// What OpenAPI says of the routes.
pub(crate) fn operations() -> impl Iterator<Item = BuiltIn> {
    routes().into_iter().map(|(operation, _)| operation)
}

/// Each route as OpenAPI has it, and who answers there.
fn routes() -> [(BuiltIn, MethodRouter<Desk>); 4] {
    [
        (REMOVE, delete(remove)),
        (PROMOTE, post(promote)),
        (LEAD, post(lead)),
        (backup::OPERATION, post(backup::back_up)),
    ]
}

const REMOVE: BuiltIn = BuiltIn {
    method: Method::DELETE,
    path: "/cluster/members/{name}",
    name: "RemoveMember",
    summary: "Takes a member out of the cluster, whether it runs or not",
    for_operators: true,
    param: Some(("name", "The member")),
    status: "204",
    answer: "It is done",
    reply: None,
};

const PROMOTE: BuiltIn = BuiltIn {
    method: Method::POST,
    path: "/cluster/members/{name}/promote",
    name: "PromoteMember",
    summary: "Gives a learner its vote, once it holds what the others do",
    ..REMOVE
};

const LEAD: BuiltIn = BuiltIn {
    method: Method::POST,
    path: "/cluster/members/{name}/lead",
    name: "MoveLeadership",
    summary: "Has a voter lead",
    ..REMOVE
};

/// Lets nobody through without the token.
async fn guard(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let Err(why) = desk.token.admit(request.headers()) else { return next.run(request).await };
    let trace = trace_of(&request).unwrap_or_else(|| desk.observer.new_trace());
    Problem::unauthorized(why, trace).into_response()
}

async fn remove(State(desk): State<Desk>, Path(name): Path<String>, request: Request) -> Response {
    desk.done(trace_of(&request), async |cluster| cluster.remove(name).await).await
}

async fn promote(State(desk): State<Desk>, Path(name): Path<String>, request: Request) -> Response {
    desk.done(trace_of(&request), async |cluster| cluster.promote(name).await).await
}

async fn lead(State(desk): State<Desk>, Path(name): Path<String>, request: Request) -> Response {
    desk.done(trace_of(&request), async |cluster| cluster.lead(name).await).await
}

impl Desk {
    /// What comes of a change, once it is made.
    async fn done(
        &self,
        trace: Option<u128>,
        change: impl AsyncFnOnce(ClusterView) -> Result<(), MembershipError>,
    ) -> Response {
        let trace = trace.unwrap_or_else(|| self.observer.new_trace());
        let problem = match change(self.node.cluster()).await {
            Ok(()) => return StatusCode::NO_CONTENT.into_response(),
            Err(MembershipError::Unfinished(fault)) => Problem::fault(&fault, true, trace),
            Err(error) => {
                let status = match error {
                    MembershipError::NoSuchMember { .. } => StatusCode::NOT_FOUND,
                    _ => StatusCode::CONFLICT,
                };
                let code = FaultCode::InvalidMessage.as_str();
                Problem::new(status, code, &error.to_string(), trace)
            }
        };
        problem.into_response()
    }
}
