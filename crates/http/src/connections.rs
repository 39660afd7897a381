use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use catga_host::{Connection, Host, Listener};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;

use crate::crowd::{CONNECTIONS_MAX, Crowd};
use crate::head_timer::HeadTimer;
use crate::patient::Patient;

/// The most bytes of one request's head, headers and all: above it is 431.
const HEAD_BYTES: usize = 64 * 1024;

/// How long the head of a request may take, if nothing else is said.
const HEADER_WAIT: Duration = Duration::from_secs(10);

/// How long to wait before accepting again when the machine has no room for a connection.
const NO_ROOM_WAIT: Duration = Duration::from_secs(1);

/// How long a client may take nothing of its answer, if nothing else is said.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// What the clients of a server are held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long the head of a request may take, and how long a connection may be without one.
    pub(crate) header_wait: Duration,
    /// How long a client may take nothing of its answer.
    pub(crate) answer_wait: Duration,
    /// How many connections there are at once.
    pub(crate) connections_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        let (header_wait, answer_wait) = (HEADER_WAIT, ANSWER_WAIT);
        Self { header_wait, answer_wait, connections_max: CONNECTIONS_MAX }
    }
}

/// The open connections of one server.
pub(crate) struct Connections {
    host: Arc<dyn Host>,
    http: http1::Builder,
    app: Router,
    /// What is answered where there are too many.
    crowded: Router,
    crowd: Crowd,
    answer_wait: Duration,
    /// Tells every connection to end after the request that it is busy with. Each connection
    /// holds a receiver, so that the last one's end can be waited for.
    draining: watch::Sender<bool>,
}

impl Connections {
    /// Connections within `bounds` on which `app` answers, or `crowded` on those that are too many.
    pub(crate) fn new(host: Arc<dyn Host>, app: Router, crowded: Router, bounds: Bounds) -> Self {
        let Bounds { header_wait, answer_wait, connections_max } = bounds;
        let mut http = http1::Builder::new();
        http.header_read_timeout(header_wait).max_header_size(HEAD_BYTES);
        let (crowd, draining) = (Crowd::new(connections_max), watch::Sender::new(false));
        Self { host, http, app, crowded, crowd, answer_wait, draining }
    }

    /// Accepts connections until it is dropped.
    pub(crate) async fn accept_from(&self, listener: &Listener) {
        loop {
            match listener.accept().await {
                Ok((connection, _)) => self.serve(connection),
                // The one that was to be accepted is gone; the next may be well.
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection; trying again");
                    self.host.sleep(NO_ROOM_WAIT).await;
                }
            }
        }
    }

    /// Takes the connections that wait at the listener now.
    pub(crate) async fn accept_waiting(&self, listener: &Listener) {
        loop {
            // Only then does the runtime look who has come meanwhile.
            tokio::task::yield_now().await;
            let mut accept = std::pin::pin!(listener.accept());
            match poll_fn(|cx| Poll::Ready(accept.as_mut().poll(cx))).await {
                Poll::Ready(Ok((connection, _))) => self.serve(connection),
                _ => return,
            }
        }
    }

    fn serve(&self, connection: Connection) {
        // Without a place it is closed at once.
        let Some(place) = self.crowd.enter() else { return };
        let mut http = self.http.clone();
        let app = if place.is_spare { &self.crowded } else { &self.app };
        let service = TowerToHyperService::new(app.clone());
        http.timer(HeadTimer::new(self.host.clone()));
        let connection = Patient::new(connection, self.host.clone(), self.answer_wait);
        let connection = http.serve_connection(TokioIo::new(connection), service);
        // Peers upgrade their connections to links.
        let connection = connection.with_upgrades();
        let mut draining = self.draining.subscribe();
        let told = draining.clone();
        let served = async move {
            let mut connection = std::pin::pin!(connection);
            let mut drained = std::pin::pin!(draining.changed());
            let mut listens = false;
            let ended = poll_fn(|cx| {
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    return Poll::Ready(Some(ended));
                }
                // A task keeps its waker, so that listening once is enough; it takes a lock that
                // all connections share.
                if listens && matches!(told.has_changed(), Ok(false)) {
                    return Poll::Pending;
                }
                listens = true;
                // An error means that the server is gone: then this connection ends as well.
                drained.as_mut().poll(cx).map(|_| None)
            })
            .await;
            let ended = match ended {
                Some(ended) => ended,
                None => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
            drop(place);
        };
        // It ends by itself, at the latest when the server has drained or the process ends.
        drop(self.host.spawn("http connection", Box::pin(served)));
    }

    /// Ready once no connection is open.
    pub(crate) async fn ended(&self) {
        self.draining.closed().await;
    }

    /// Lets every connection finish the request that it is busy with, and waits for the last.
    pub(crate) async fn drain(&self) {
        self.draining.send_replace(true);
        self.ended().await;
    }
}

/// Makes an answer the last one of its connection, so that the client makes another one, to whoever
/// takes it then: closed under it, a connection could take a request with it.
pub(crate) fn last(mut response: Response) -> Response {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::SocketAddr;

    use catga_host::{Accept, BoxFuture, TokioHost};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::sync::{Mutex, mpsc};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    /// Fails some times, as a machine without room and a client that left would, and then accepts.
    struct Troubled {
        errors: Mutex<Vec<io::Error>>,
        streams: Mutex<mpsc::Receiver<DuplexStream>>,
    }

    /// A listener that fails with `errors`, the last one first, before it gives what was sent to it.
    pub(crate) fn troubled(errors: Vec<io::Error>) -> (Listener, mpsc::Sender<DuplexStream>) {
        let (send, streams) = mpsc::channel(8);
        let (errors, streams) = (Mutex::new(errors), Mutex::new(streams));
        (Listener::new(Troubled { errors, streams }), send)
    }

    pub(crate) fn no_room() -> io::Error {
        io::Error::other("too many open files")
    }

    /// Both ends of a connection on which something is asked.
    pub(crate) async fn asking() -> (DuplexStream, DuplexStream) {
        let (mut client, server) = tokio::io::duplex(1024);
        client.write_all(REQUEST).await.expect("it takes bytes");
        (client, server)
    }

    /// What answers `hello`.
    pub(crate) fn connections() -> Connections {
        let app = Router::new().route("/", axum::routing::get(async || "hello"));
        let host = Arc::new(TokioHost::current());
        let bounds = Bounds { header_wait: Duration::from_secs(3600), ..Bounds::default() };
        Connections::new(host, app.clone(), app, bounds)
    }

    /// What a client hears until its connection is closed.
    pub(crate) async fn heard(mut client: DuplexStream) -> String {
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("the connection ends in order");
        answer
    }

    impl Accept for Troubled {
        fn accept(&self) -> BoxFuture<'_, io::Result<(Connection, SocketAddr)>> {
            Box::pin(async {
                if let Some(error) = self.errors.lock().await.pop() {
                    return Err(error);
                }
                match self.streams.lock().await.recv().await {
                    Some(stream) => Ok((Connection::new(stream), ([127, 0, 0, 1], 1).into())),
                    None => std::future::pending().await,
                }
            })
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(([127, 0, 0, 1], 1).into())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn accepting_goes_on_after_failures_and_draining_closes_what_is_idle() {
        let (listener, send) = troubled(vec![no_room(), io::ErrorKind::ConnectionReset.into()]);
        let connections = connections();
        let (mut client, server) = asking().await;
        send.send(server).await.expect("the listener is there");
        let asked = async {
            let mut answer = [0; 15];
            client.read_exact(&mut answer).await.expect("it answers");
            assert_eq!(&answer, b"HTTP/1.1 200 OK");
        };
        tokio::select! {
            () = connections.accept_from(&listener) => {}
            () = asked => {}
        }
        connections.drain().await;
        assert!(heard(client).await.ends_with("hello"));
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_are_taken_and_who_came_since_the_runtime_looked() {
        let (listener, send) = troubled(Vec::new());
        let connections = connections();
        let mut clients = Vec::new();
        for _ in 0..3 {
            let (client, server) = asking().await;
            clients.push(client);
            let send = send.clone();
            // It goes on only when this task lets others go on.
            drop(tokio::spawn(async move { send.send(server).await }));
        }
        connections.accept_waiting(&listener).await;
        // Nobody waits any more, and it does not wait for anybody.
        connections.accept_waiting(&listener).await;
        drop(listener);
        connections.drain().await;
        for client in clients {
            assert!(heard(client).await.ends_with("hello"));
        }
    }

    /// A server on one connection to which `client` talks, which answers a megabyte; until the
    /// connection has ended.
    async fn answer_much(client: impl AsyncFnOnce(DuplexStream)) -> Duration {
        let app = Router::new().route("/", axum::routing::get(async || vec![7; 1 << 20]));
        let host = Arc::new(TokioHost::current());
        let connections = Connections::new(host.clone(), app.clone(), app, Bounds::default());
        let (mut stream, server) = tokio::io::duplex(1024);
        stream.write_all(REQUEST).await.expect("it takes bytes");
        let began = host.now();
        connections.serve(Connection::new(server));
        client(stream).await;
        connections.drain().await;
        host.now() - began
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_of_its_answer_is_cut_off_and_a_slow_one_is_not() {
        let mut kept = None;
        let took = answer_much(async |stream| kept = Some(stream)).await;
        assert_eq!(took.as_secs(), ANSWER_WAIT.as_secs(), "{took:?}");
        drop(kept);
        let took = answer_much(async |mut stream| {
            let mut got = 0;
            while got < 1 << 20 {
                tokio::time::sleep(ANSWER_WAIT / 2).await;
                let mut bytes = vec![0; 1 << 16];
                let mut read = 0;
                while read < bytes.len() && got < 1 << 20 {
                    let count = stream.read(&mut bytes).await.expect("it goes on");
                    assert_ne!(count, 0, "it ended after {got} bytes");
                    (read, got) = (read + count, got + count);
                }
            }
        });
        assert!(took.await > ANSWER_WAIT * 5);
    }
}
