#[cfg(test)]
mod fuzz;

use std::io::Cursor;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use catga_host::{BoxFuture, Connection, Host};
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;

use crate::observer::{new_trace, trace_of};
use crate::patient::Patient;
use crate::problem::Problem;

/// Where a peer asks for a link.
pub(crate) const PATH: &str = "/catga/peer";

/// What a link is called where HTTP is spoken.
const PROTOCOL: &str = "catga/1";

/// Takes the connection of a peer; its future ends with the link.
pub(crate) type Peers = Arc<dyn Fn(Connection) -> BoxFuture<'static, ()> + Send + Sync>;

/// Hands the connections of those who ask for a link at [`PATH`] to `peers`.
pub(crate) fn router(host: &Arc<dyn Host>, peers: Peers) -> Router {
    let host = host.clone();
    Router::new().route(
        PATH,
        get(async move |mut request: Request| match asked(&mut request) {
            Some(upgrade) => switched(&*host, upgrade, peers.clone()),
            None => refused(&*host, &request),
        }),
    )
}

/// The connection to be, if the request asks for a link and can have one.
fn asked(request: &mut Request) -> Option<OnUpgrade> {
    let headers = request.headers();
    if says(headers, CONNECTION, "upgrade") && says(headers, UPGRADE, PROTOCOL) {
        request.extensions_mut().remove::<OnUpgrade>()
    } else {
        None
    }
}

/// True if `word` is in the list that the header has.
fn says(headers: &HeaderMap, header: HeaderName, word: &str) -> bool {
    let lists = headers.get_all(header).into_iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|said| said.trim().eq_ignore_ascii_case(word))
}

fn switched(host: &dyn Host, upgrade: OnUpgrade, peers: Peers) -> Response {
    let linked = async move {
        match upgrade.await {
            Ok(upgraded) => {
                let link = peers(connection(upgraded));
                // A link may last for ever, and what takes peers holds the node.
                drop(peers);
                link.await;
            }
            Err(error) => tracing::debug!(%error, "a peer left before it had its link"),
        }
    };
    // It ends with the link.
    drop(host.spawn("peer", Box::pin(linked)));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    announce(&mut response);
    response
}

/// The connection itself, after what has come of the link already.
fn connection(upgraded: Upgraded) -> Connection {
    match upgraded.downcast::<TokioIo<Patient>>() {
        Ok(Parts { io, read_buf, .. }) if read_buf.is_empty() => io.into_inner().into_inner(),
        Ok(Parts { io, read_buf, .. }) => {
            let (reader, writer) = tokio::io::split(io.into_inner().into_inner());
            let reader = Cursor::new(read_buf).chain(reader);
            Connection::new(tokio::io::join(reader, writer))
        }
        Err(upgraded) => Connection::new(TokioIo::new(upgraded)),
    }
}

fn refused(host: &dyn Host, request: &Request) -> Response {
    let trace = trace_of(request).unwrap_or_else(|| new_trace(host));
    let detail = format!("`{PATH}` is for nodes, which ask to upgrade to {PROTOCOL}");
    let status = StatusCode::UPGRADE_REQUIRED;
    let mut response = Problem::new(status, "upgrade-required", &detail, trace).into_response();
    announce(&mut response);
    response
}

fn announce(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_in_lists_and_repeated_headers() {
        let mut headers = HeaderMap::new();
        headers.append(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.append(UPGRADE, HeaderValue::from_static("h2c"));
        headers.append(UPGRADE, HeaderValue::from_static("catga/1"));
        assert!(says(&headers, CONNECTION, "upgrade"));
        assert!(says(&headers, UPGRADE, PROTOCOL));
        headers.insert(UPGRADE, HeaderValue::from_static("catga/10"));
        assert!(!says(&headers, UPGRADE, PROTOCOL));
    }
}
