//! The server on real sockets: it serves, bears with bad clients, and drains.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use catga::{Limits, Node};
use catga_http::{ServeError, Server};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::shop::{Gate, node, routes};
use crate::stream::{answer, rest};
use crate::wait::wait_until;

/// A server on a port of its own, and the way to make it drain.
pub(crate) struct Serving {
    node: Node,
    gate: Arc<Gate>,
    port: u16,
    stop: Arc<Notify>,
    ended: JoinHandle<Result<(), ServeError>>,
}

pub(crate) async fn serve(limits: Limits, with: impl FnOnce(Server) -> Server) -> Serving {
    let (node, gate) = node(limits).await;
    serve_node(node, gate, with).await
}

/// The same with a node that runs already.
pub(crate) async fn serve_node(
    node: Node,
    gate: Arc<Gate>,
    with: impl FnOnce(Server) -> Server,
) -> Serving {
    let stop = Arc::new(Notify::new());
    let asked = stop.clone();
    let server = Server::new(node.clone(), routes())
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .grace(Duration::ZERO)
        .drain_on(async move { asked.notified().await });
    let ended = tokio::spawn(with(server).run());
    wait_until("serving", || node.endpoint().is_some()).await;
    let endpoint = node.endpoint().expect("it serves");
    let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    Serving { node, gate, port, stop, ended }
}

impl Serving {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens")
    }

    /// A connection with `bytes` sent.
    pub(crate) async fn say(&self, bytes: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.expect("it takes bytes");
        stream
    }
}

#[tokio::test]
async fn it_serves_on_kept_connections_and_drains_them() {
    let serving = serve(Limits::default(), |server| server).await;
    let mut stream = serving.connect().await;
    for _ in 0..2 {
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it takes bytes");
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    }
    serving.stop.notify_one();
    assert_eq!(rest(&mut stream).await, "", "the idle connection is closed");
    serving.ended.await.expect("no panic").expect("it ends well");
    assert!(!serving.node.is_running());
    let refused = TcpStream::connect(("127.0.0.1", serving.port)).await;
    assert!(refused.is_err(), "nobody listens any more");
}

/// Nobody's request is cut off: who asks while it drains is answered and told to go elsewhere, and
/// who has connected by the end is heard.
#[tokio::test]
async fn draining_answers_everybody_who_has_connected() {
    let grace = Duration::from_millis(300);
    let serving = serve(Limits::default(), |server| server.grace(grace)).await;
    let mut kept = serving.connect().await;
    let mut ask = async || {
        kept.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it takes bytes");
        answer(&mut kept).await
    };
    assert!(!ask().await.contains("connection: close"));
    serving.stop.notify_one();
    while !ask().await.contains("connection: close") {}
    // Connections that others make all the time, each of which asks a little later.
    let mut asking = Vec::new();
    loop {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", serving.port)).await else { break };
        asking.push(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            stream
                .write_all(b"GET /customers/7/orders HTTP/1.1\r\nhost: x\r\n\r\n")
                .await
                .expect("it is there");
            rest(&mut stream).await
        }));
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    assert!(asking.len() > 20, "{}", asking.len());
    let mut seen = std::collections::BTreeMap::new();
    for asked in asking {
        let answer = asked.await.expect("no panic");
        let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(answer.contains("connection: close") && answer.ends_with('}'), "{answer:?}");
        *seen.entry(status).or_insert(0) += 1;
    }
    // Served at first, and sent elsewhere then.
    assert!(seen.len() == 2 && seen["200"] > 5 && seen["503"] > 5, "{seen:?}");
    serving.ended.await.expect("no panic").expect("it ends well");
}

#[tokio::test]
async fn draining_finishes_what_is_under_way() {
    let serving = serve(Limits::default(), |server| server).await;
    let mut stream =
        serving.say("POST /probe/wait HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;
    serving.gate.entered.notified().await;
    let mut other = serving.say("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    answer(&mut other).await;
    serving.stop.notify_one();
    assert_eq!(rest(&mut other).await, "", "idle connections are closed first");
    serving.gate.released.notify_one();
    let got = rest(&mut stream).await;
    assert!(got.starts_with("HTTP/1.1 200 OK") && got.ends_with("\"released\""), "{got}");
    serving.ended.await.expect("no panic").expect("it ends well");
}

#[tokio::test]
async fn during_the_grace_it_is_not_ready_and_still_serves() {
    let serving = serve(Limits::default(), |server| server.grace(Duration::from_secs(3600))).await;
    serving.stop.notify_one();
    let ask = async |path: &str| {
        let line = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        rest(&mut serving.say(&line).await).await
    };
    let mut ready = ask("/readyz").await;
    while ready.starts_with("HTTP/1.1 200") {
        ready = ask("/readyz").await;
    }
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("the node is draining"), "{ready}");
    assert!(ask("/cluster/status").await.contains(r#""status":"draining""#));
    assert!(ask("/livez").await.starts_with("HTTP/1.1 200"));
    assert!(ask("/customers/7/orders").await.starts_with("HTTP/1.1 200"), "the node still serves");
    serving.ended.abort();
}

#[tokio::test]
async fn draining_does_not_wait_for_ever() {
    let mut limits = Limits::default();
    limits.drain_wait = Duration::from_millis(20);
    let serving = serve(limits, |server| server).await;
    let _stream =
        serving.say("POST /orders HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await;
    serving.stop.notify_one();
    serving.ended.await.expect("no panic").expect("it ends without the one that never sends");
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_says_what_to_do() {
    let serving = serve(Limits::default(), |server| server).await;
    let (node, _) = node(Limits::default()).await;
    let address = SocketAddr::from(([127, 0, 0, 1], serving.port));
    let error = Server::new(node, routes()).listen(address).run().await.expect_err("it is taken");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on {address}: another program listens there; stop it, or choose \
             another port with the environment variable PORT"
        )
    );
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_cut_off() {
    let serve_short = |server: Server| server.header_wait(Duration::from_millis(50));
    let serving = serve(Limits::default(), serve_short).await;
    let mut stream = serving.say("GET /livez HTTP/1.1\r\nhost:").await;
    let got = rest(&mut stream).await;
    assert!(got.is_empty() || got.starts_with("HTTP/1.1 408"), "{got}");
}

#[tokio::test]
async fn a_client_that_asks_nothing_more_and_does_not_leave_is_cut_off() {
    let serve_short = |server: Server| server.header_wait(Duration::from_millis(50));
    let serving = serve(Limits::default(), serve_short).await;
    let mut stream = serving.say("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(rest(&mut stream).await, "", "as one whose machine is gone");
}

#[tokio::test]
async fn past_as_many_connections_as_may_be_clients_are_sent_away_and_probes_get_through() {
    let serving = serve(Limits::default(), |server| server.connections_max(2)).await;
    let livez = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut kept = [serving.say(livez).await, serving.say(livez).await];
    for stream in &mut kept {
        assert!(answer(stream).await.starts_with("HTTP/1.1 200 OK"));
    }
    let order = "GET /customers/7/orders HTTP/1.1\r\nhost: x\r\n\r\n";
    let got = rest(&mut serving.say(order).await).await;
    assert!(got.starts_with("HTTP/1.1 503") && got.contains("as many connections"), "{got}");
    let got = rest(&mut serving.say(livez).await).await;
    assert!(got.starts_with("HTTP/1.1 200"), "it ends after one request: {got}");
    // Beyond the spare ones nobody is answered.
    let mut spare = Vec::new();
    for _ in 0..64 {
        spare.push(serving.connect().await);
    }
    assert_eq!(rest(&mut serving.say(livez).await).await, "");
    drop(spare);
    // With one that goes there is room for another.
    kept[0].write_all(order.as_bytes()).await.expect("it is open");
    assert!(answer(&mut kept[0]).await.starts_with("HTTP/1.1 200"));
    drop(kept);
    let mut got = String::new();
    while !got.starts_with("HTTP/1.1 200") {
        let mut stream = serving.say(order).await;
        stream.shutdown().await.expect("it is open");
        got = rest(&mut stream).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_send_its_body_is_answered_408() {
    let serve_short = |server: Server| server.body_wait(Duration::from_millis(50));
    let serving = serve(Limits::default(), serve_short).await;
    let head = "POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 100\r\n\r\n{";
    let got = rest(&mut serving.say(head).await).await;
    assert!(got.starts_with("HTTP/1.1 408") && got.contains("body-too-slow"), "{got}");
}

#[tokio::test]
async fn a_head_that_is_not_http_is_400_without_a_body() {
    let serving = serve(Limits::default(), |server| server).await;
    let head = "GET /livez HTTP/1.1\r\nhost: x\r\n: nameless\r\n\r\n";
    let got = rest(&mut serving.say(head).await).await;
    assert!(got.starts_with("HTTP/1.1 400") && got.ends_with("\r\n\r\n"), "{got}");
}

#[tokio::test]
async fn headers_over_the_limit_are_431() {
    let serving = serve(Limits::default(), |server| server).await;
    let head = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(70_000));
    let got = rest(&mut serving.say(&head).await).await;
    assert!(got.starts_with("HTTP/1.1 431"), "{got}");
}
