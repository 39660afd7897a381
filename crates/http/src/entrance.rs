use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::Request;
use axum::middleware::map_response;
use axum::response::Response;
use catga_core::{Fault, FaultCode};
use catga_host::{BoxFuture, Connection, Host, Listener};
use catga_runtime::OpenListener;
use tokio::sync::oneshot;

use crate::connections::{Bounds, Connections};
use crate::observer::{new_trace, trace_of};
use crate::problem::Problem;
use crate::{connections, health, upgrade};

/// The port of a node that is starting.
///
/// A node starts once a quorum of its peers has met, so they must reach it before it serves. They
/// do so here, by the upgrade that they use later as well: at `/catga/peer`. Probes hear that the
/// node lives and is not ready; everything else hears that it is starting. A
/// [`Server`](crate::Server) takes the listener over, and the port stays the same; links go on,
/// and whoever had come before is answered as before, once. Dropped, it stops accepting in the same
/// way.
pub struct Entrance {
    address: SocketAddr,
    /// Where to send the way back for the listener. None once it was taken; if it is dropped, so
    /// is the listener.
    open: Mutex<Option<oneshot::Sender<oneshot::Sender<Listener>>>>,
}

impl Entrance {
    /// Answers on `listener`, and hands the connections of peers to `peers`, in tasks that end with
    /// its futures.
    ///
    /// # Panics
    /// If the machine cannot tell where `listener` listens.
    pub fn open(
        host: Arc<dyn Host>,
        listener: Listener,
        peers: impl Fn(Connection) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let address = listener.local_addr().expect("a listener knows its address");
        let app = router(&host, Arc::new(peers));
        let (crowded, bounds) = (app.clone(), Bounds::default());
        let connections = Connections::new(host.clone(), app, crowded, bounds);
        let (open, asked) = oneshot::channel::<oneshot::Sender<Listener>>();
        let accepting = async move {
            tokio::select! {
                asked = asked => if let Ok(give) = asked {
                    // Whoever asked may have gone; then nobody listens any more.
                    let _ = give.send(listener);
                },
                () = connections.accept_from(&listener) => {}
            }
            // None is kept for a second request, and who has come is answered.
            connections.ended().await;
        };
        // It ends when the listener is taken, or with the entrance.
        drop(host.spawn("entrance", Box::pin(accepting)));
        Arc::new(Self { address, open: Mutex::new(Some(open)) })
    }
}

impl OpenListener for Entrance {
    fn local_addr(&self) -> SocketAddr {
        self.address
    }

    fn take(&self) -> BoxFuture<'_, Option<Listener>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            let (give, given) = oneshot::channel();
            open?.send(give).ok()?;
            given.await.ok()
        })
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance").field("address", &self.address).finish_non_exhaustive()
    }
}

fn router(host: &Arc<dyn Host>, peers: upgrade::Peers) -> Router {
    let (nowhere, otherwise) = (host.clone(), host.clone());
    health::starting()
        .merge(upgrade::router(host, peers))
        .fallback(async move |request: Request| starting(&*nowhere, &request))
        .method_not_allowed_fallback(async move |request: Request| starting(&*otherwise, &request))
        .layer(map_response(async |response| connections::last(response)))
}

fn starting(host: &dyn Host, request: &Request) -> Response {
    let trace = trace_of(request).unwrap_or_else(|| new_trace(host));
    let fault = Fault::new(
        FaultCode::Starting,
        "the node is starting, and nothing but its peers and probes is served here yet",
    );
    Problem::fault(&fault, false, trace).into_response()
}

#[cfg(test)]
mod tests {
    use std::io;

    use catga_host::{Accept, TokioHost};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy, split};
    use tokio::sync::mpsc;
    use tokio::task::yield_now;

    use super::*;

    struct Streams(tokio::sync::Mutex<mpsc::Receiver<DuplexStream>>);

    impl Accept for Streams {
        fn accept(&self) -> BoxFuture<'_, io::Result<(Connection, SocketAddr)>> {
            Box::pin(async {
                let stream = self.0.lock().await.recv().await.expect("the test holds the sender");
                Ok((Connection::new(stream), self.local_addr()?))
            })
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(([127, 0, 0, 1], 1).into())
        }
    }

    /// Lets all other tasks of the test's one thread run.
    async fn settle() {
        for _ in 0..20 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_peer_that_is_asking_when_the_listener_is_taken_still_gets_its_link() {
        let (streams, accepts) = mpsc::channel(1);
        let listener = Listener::new(Streams(tokio::sync::Mutex::new(accepts)));
        let echo = |peer| -> BoxFuture<'static, ()> {
            let (mut reader, mut writer) = split(peer);
            Box::pin(async move {
                copy(&mut reader, &mut writer).await.expect("the peer reads");
            })
        };
        let entrance = Entrance::open(Arc::new(TokioHost::current()), listener, echo);
        let (mut peer, stream) = tokio::io::duplex(1024);
        streams.send(stream).await.expect("it accepts");
        peer.write_all(b"GET /catga/peer HTTP/1.1\r\n").await.expect("there is room");
        settle().await;

        let listener = entrance.take().await.expect("nobody was first");
        assert!(entrance.take().await.is_none());
        settle().await;
        // What follows the head at once belongs to the link.
        let rest = b"host: x\r\nconnection: upgrade\r\nupgrade: catga/1\r\n\r\nearly";
        peer.write_all(rest).await.expect("there is room");
        let mut heard = Vec::new();
        while !heard.ends_with(b"early") {
            let read = peer.read_buf(&mut heard).await.expect("it answers");
            assert_ne!(read, 0, "it ended after {}", String::from_utf8_lossy(&heard));
        }
        assert!(heard.starts_with(b"HTTP/1.1 101 "));

        let (_peer, stream) = tokio::io::duplex(1024);
        streams.send(stream).await.expect("there is room");
        settle().await;
        assert!(streams.try_reserve().is_err(), "the entrance accepts nothing any more");
        listener.accept().await.expect("whoever took the listener does");
    }
}
