use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use catga_core::{MessageId, TraceContext};
use catga_host::Host;
use catga_runtime::Node;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Unit;

use crate::reply::{POSITION, set_position};

/// Counts, times and logs requests.
pub(crate) struct Observer {
    pub(crate) node: Node,
    requests: Family<Answered, Counter>,
    durations: Family<At, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct At {
    method: String,
    route: String,
}

/// The metrics of one route, found once.
pub(crate) struct Watch {
    observer: Arc<Observer>,
    at: At,
    /// The answer that the route usually gives.
    usual: (StatusCode, Counter),
    duration: Histogram,
}

impl Observer {
    pub(crate) fn new(node: Node) -> Arc<Self> {
        let requests = Family::<Answered, Counter>::default();
        let durations = Family::<At, Histogram>::new_with_constructor(|| {
            // From 50 µs, an answer from memory, to 13 s, past the usual deadline.
            Histogram::new(exponential_buckets(50e-6, 2.0, 19))
        });
        node.register_metrics(|registry| {
            registry.register("http_requests", "HTTP requests answered", requests.clone());
            registry.register_with_unit(
                "http_request_duration",
                "Time from the head of an HTTP request to its answer",
                Unit::Seconds,
                durations.clone(),
            );
        });
        Arc::new(Self { node, requests, durations })
    }

    /// Observes the route at `path`, which usually answers `usual`.
    pub(crate) fn watch(self: &Arc<Self>, method: &Method, path: &str, usual: StatusCode) -> Watch {
        let at = At { method: known(method).to_owned(), route: path.to_owned() };
        let counter = self.counter(&at, usual);
        let duration = self.durations.get_or_create(&at).clone();
        Watch { observer: self.clone(), at, usual: (usual, counter), duration }
    }

    /// A trace id for a request whose caller gave none.
    pub(crate) fn new_trace(&self) -> u128 {
        new_trace(&**self.node.host())
    }

    fn counter(&self, at: &At, status: StatusCode) -> Counter {
        let At { method, route } = at.clone();
        self.requests.get_or_create(&Answered { method, route, status: status.as_u16() }).clone()
    }
}

impl Watch {
    /// Notes that a request which began at `started` was answered.
    pub(crate) fn answered(
        &self,
        status: StatusCode,
        started: Duration,
        trace: Option<u128>,
        message: Option<MessageId>,
    ) {
        let took = self.observer.node.host().now().saturating_sub(started);
        self.duration.observe(took.as_secs_f64());
        if status == self.usual.0 {
            self.usual.1.inc();
        } else {
            self.observer.counter(&self.at, status).inc();
        }
        tracing::info!(
            method = self.at.method,
            route = self.at.route,
            status = status.as_u16(),
            duration_ms = took.as_secs_f64() * 1e3,
            trace_id = trace.map(|trace| tracing::field::display(format!("{trace:032x}"))),
            message_id = message.map(tracing::field::display),
            "answered"
        );
    }
}

/// Observes routes that are not messages: ours, and those that a program merges in.
pub(crate) async fn observe(
    State(observer): State<Arc<Observer>>,
    request: Request,
    next: Next,
) -> Response {
    let started = observer.node.host().now();
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("none", MatchedPath::as_str);
    let watch = observer.watch(request.method(), path, StatusCode::OK);
    let trace = trace_of(&request);
    let mut response = next.run(request).await;
    if !response.headers().contains_key(&POSITION) {
        set_position(&mut response, observer.node.position());
    }
    watch.answered(response.status(), started, trace, None);
    response
}

/// A trace id of the node's own.
pub(crate) fn new_trace(host: &dyn Host) -> u128 {
    u128::from(host.random()) << 64 | u128::from(host.random())
}

/// The trace that the caller of a request is in.
pub(crate) fn trace_of(request: &Request) -> Option<u128> {
    let header = request.headers().get("traceparent")?.to_str().ok()?;
    TraceContext::parse(header).map(|trace| trace.trace_id)
}

/// The method's name; one that somebody made up makes no metric of its own.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
