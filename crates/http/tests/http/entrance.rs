//! One port, from before a node has started until it has stopped.

use std::net::SocketAddr;
use std::time::Duration;

use catga::Limits;
use catga_http::{ServeError, Server};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::peers::{Link, Starting};
use crate::shop::{Running, node, routes};
use crate::stream::{answer, rest};
use crate::wait::wait_until;

/// What `address` answers to a request line, whole.
async fn ask(address: SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let head = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("it takes bytes");
    rest(&mut stream).await
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).unwrap_or_else(|_| panic!("not JSON: {answer}"))
}

/// A server of `node`, which is serving, and the way to make it drain.
async fn serve(
    node: &catga::Node,
    with: impl FnOnce(Server) -> Server,
) -> (oneshot::Sender<()>, JoinHandle<Result<(), ServeError>>) {
    let (stop, asked) = oneshot::channel();
    let server = Server::new(node.clone(), routes()).grace(Duration::ZERO);
    let server = server.drain_on(async { asked.await.expect("the test says so") });
    let ended = tokio::spawn(with(server).run());
    wait_until("serving", || node.endpoint().is_some()).await;
    (stop, ended)
}

/// Where people are told that the node serves.
fn served_at(node: &catga::Node) -> SocketAddr {
    let endpoint = node.endpoint().expect("it serves");
    let (_, port) = endpoint.rsplit_once(':').expect("a port");
    ([127, 0, 0, 1], port.parse().expect("a number")).into()
}

async fn is_closed(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_err()
}

#[tokio::test]
async fn a_starting_node_lives_and_takes_nothing_but_peers() {
    let starting = Starting::begin().await;
    let at = starting.address;
    let live = ask(at, "GET /livez").await;
    assert!(live.starts_with("HTTP/1.1 200 "), "{live}");
    assert_eq!(body(&live), json!({"status": "Healthy", "reasons": []}));
    for probe in ["GET /readyz", "GET /startupz", "GET /health"] {
        let got = ask(at, probe).await;
        assert!(got.starts_with("HTTP/1.1 503 "), "{probe}: {got}");
        let unhealthy = json!({"status": "Unhealthy", "reasons": ["the node is starting"]});
        assert_eq!(body(&got), unhealthy, "{probe}");
    }
    for line in ["POST /orders", "GET /cluster/status", "POST /readyz", "POST /catga/peer"] {
        let got = ask(at, line).await;
        assert!(got.starts_with("HTTP/1.1 503 "), "{line}: {got}");
        assert!(got.contains("content-type: application/problem+json\r\n"), "{line}: {got}");
        assert!(got.contains("retry-after: 1\r\n"), "{line}: {got}");
        let problem = body(&got);
        assert_eq!(problem["code"], "starting", "{line}");
        assert_eq!(problem["outcome"], "not-executed", "{line}");
        assert_eq!(problem["retryable"], true, "{line}");
        assert_eq!(problem["traceId"].as_str().map(str::len), Some(32), "{line}");
    }
    let got = ask(at, "GET /catga/peer").await;
    assert!(got.starts_with("HTTP/1.1 426 ") && got.contains("upgrade: catga/1\r\n"), "{got}");
    Link::dial(at).await;
}

#[tokio::test]
async fn a_link_from_before_the_start_lasts_until_the_node_has_handed_over() {
    let starting = Starting::begin().await;
    let at = starting.address;
    let mut early = Link::dial(at).await;
    let mut kept = TcpStream::connect(at).await.expect("it listens");
    kept.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it takes bytes");
    assert!(rest(&mut kept).await.contains("connection: close"), "it serves somebody else then");
    let mut fresh = TcpStream::connect(at).await.expect("it listens");
    let (node, peers) = starting.meet().await;
    assert!(ask(at, "GET /readyz").await.contains("the node is starting"), "nobody serves it yet");

    let (stop, ended) = serve(&node, |server| server).await;
    assert_eq!(served_at(&node), at, "the port is the same");
    fresh.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it takes bytes");
    assert!(rest(&mut fresh).await.contains("the node is starting"), "who has come is answered");
    assert!(ask(at, "GET /readyz").await.starts_with("HTTP/1.1 200 "));
    assert!(ask(at, "GET /customers/7/orders").await.starts_with("HTTP/1.1 200 "));
    early.echoes().await;
    let mut late = Link::dial(at).await;

    stop.send(()).expect("it serves");
    let handing_over = peers.leaving.entered.notified();
    let in_time = tokio::time::timeout(Duration::from_secs(10), handing_over).await;
    in_time.expect("no link holds up the drain");
    assert!(is_closed(at).await, "it takes no more requests");
    early.echoes().await;
    late.echoes().await;
    peers.leaving.released.notify_one();
    ended.await.expect("no panic").expect("it ends well");
}

#[tokio::test]
async fn a_server_that_listens_elsewhere_leaves_the_entrance_to_peers() {
    let starting = Starting::begin().await;
    let at = starting.address;
    let (node, peers) = starting.meet().await;
    let (stop, ended) = serve(&node, |server| server.listen(([127, 0, 0, 1], 0).into())).await;
    assert_ne!(served_at(&node), at);
    assert!(ask(served_at(&node), "GET /readyz").await.starts_with("HTTP/1.1 200 "));
    Link::dial(served_at(&node)).await;
    let mut link = Link::dial(at).await;
    stop.send(()).expect("it serves");
    peers.leaving.entered.notified().await;
    link.echoes().await;
    Link::dial(at).await;
    peers.leaving.released.notify_one();
    ended.await.expect("no panic").expect("it ends well");
    assert!(is_closed(at).await);
}

#[tokio::test]
async fn peers_get_their_links_however_many_clients_there_are() {
    let (node, _peers) = Starting::begin().await.meet().await;
    let (_stop, _ended) = serve(&node, |server| server.connections_max(1)).await;
    let at = served_at(&node);
    // It does not count itself.
    let mut early = Link::dial(at).await;
    let mut kept = TcpStream::connect(at).await.expect("it listens");
    kept.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it takes bytes");
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200 "));
    assert!(ask(at, "GET /customers/7/orders").await.starts_with("HTTP/1.1 503 "));
    let mut late = Link::dial(at).await;
    early.echoes().await;
    late.echoes().await;
}

#[tokio::test]
async fn a_server_that_is_told_the_same_address_takes_the_entrance_over() {
    let starting = Starting::begin().await;
    let at = starting.address;
    let (node, _peers) = starting.meet().await;
    let (_stop, _ended) = serve(&node, |server| server.listen(at)).await;
    assert_eq!(served_at(&node), at);
    assert!(ask(at, "GET /readyz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn an_entrance_closes_with_its_node_which_no_link_keeps() {
    let starting = Starting::begin().await;
    let at = starting.address;
    let mut early = Link::dial(at).await;
    let (node, _peers) = starting.meet().await;
    let (_stop, ended) = serve(&node, |server| server.listen(([127, 0, 0, 1], 0).into())).await;
    let mut late = Link::dial(served_at(&node)).await;
    ended.abort();
    drop(node);
    let closed = async {
        while !is_closed(at).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.expect("nothing keeps the node");
    early.echoes().await;
    late.echoes().await;
}

const UPGRADE: [(&str, &str); 2] = [("connection", "upgrade"), ("upgrade", "catga/1")];

#[tokio::test]
async fn without_peers_there_is_no_way_for_them() {
    let (node, _) = node(Limits::default()).await;
    let app = routes().into_router(node.clone()).expect("the routes fit together");
    let got = Running { node, app }.send("GET /catga/peer", &UPGRADE, "").await;
    assert_eq!((got.status.as_u16(), &got.json()["code"]), (404, &json!("no-route")));
}

#[tokio::test]
async fn who_does_not_ask_for_a_link_is_told_how() {
    let (node, _peers) = Starting::begin().await.meet().await;
    let app = routes().into_router(node.clone()).expect("the routes fit together");
    let shop = Running { node, app };
    let other = [("connection", "upgrade"), ("upgrade", "websocket")];
    // The last asks well, and there is no connection that could be a link.
    for headers in [&[][..], &UPGRADE[1..], &other, &UPGRADE] {
        let got = shop.send("GET /catga/peer", headers, "").await;
        assert_eq!((got.status.as_u16(), &got.json()["code"]), (426, &json!("upgrade-required")));
        assert_eq!(got.header("upgrade"), Some("catga/1"));
        assert_eq!(got.header("connection"), Some("upgrade"));
        assert_eq!(got.header("content-type"), Some("application/problem+json"));
    }
    for page in ["GET /openapi.json", "GET /metrics"] {
        let got = String::from_utf8(shop.send(page, &[], "").await.body).expect("a text");
        assert!(got.contains("orders") && !got.contains("/catga/peer"), "{page}: {got}");
    }
}
