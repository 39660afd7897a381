use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::response::Response;

use crate::observer::{Observer, trace_of};
use crate::problem::Problem;
use crate::reply::set_position;

/// Answers what no route takes: 404, and 405 with `Allow`.
pub(crate) fn answered(router: Router, observer: &Arc<Observer>) -> Router {
    let (nowhere, otherwise) = (observer.clone(), observer.clone());
    router
        .fallback(move |request: Request| async move {
            refuse(&nowhere, &request, StatusCode::NOT_FOUND, "no-route", "nothing is at")
        })
        .method_not_allowed_fallback(move |request: Request| async move {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            refuse(&otherwise, &request, status, "method-not-allowed", "this is not how to call")
        })
}

fn refuse(
    observer: &Arc<Observer>,
    request: &Request,
    status: StatusCode,
    code: &'static str,
    what: &str,
) -> Response {
    let started = observer.node.host().now();
    let trace = trace_of(request).unwrap_or_else(|| observer.new_trace());
    let (method, path) = (request.method(), request.uri().path());
    let detail = format!("{what} `{path}` with {method}; /openapi.json lists what there is");
    let mut response = Problem::new(status, code, &detail, trace).into_response();
    set_position(&mut response, observer.node.position());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    observer.watch(method, route, status).answered(status, started, Some(trace), None);
    response
}
