use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use catga_runtime::Node;

/// What scrapers of OpenMetrics ask for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn router(node: &Node) -> Router {
    let node = node.clone();
    let page = async move || ([(CONTENT_TYPE, OPEN_METRICS)], node.metrics_text());
    Router::new().route("/metrics", get(page))
}
