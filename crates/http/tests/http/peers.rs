//! A node of memory that has peers, which reach it while it starts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga::{
    Backend, Fault, Limits, MemberStatus, MembershipChange, MembershipError, Memory, Node,
    NodeName, Parts, PeerCalls, PeerError, PeerRequests,
};
use catga_host::{BoxFuture, Connection, Host};
use catga_http::Entrance;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::shop::{Gate, builder};
use crate::stream::answer;

/// Peers that hear from the node what they say to it.
#[derive(Debug, Default)]
pub(crate) struct Echoes {
    /// Where the node waits for another one to lead.
    pub(crate) leaving: Gate,
}

impl PeerCalls for Echoes {
    fn call(
        &self,
        _to: &NodeName,
        _request: Bytes,
        _within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>> {
        Box::pin(async { Err(PeerError::NotSent("nobody is there".to_owned())) })
    }

    fn serve(&self, _handler: Arc<dyn PeerRequests>) {}

    fn members(&self) -> Vec<MemberStatus> {
        Vec::new()
    }

    fn change(&self, _: MembershipChange) -> BoxFuture<'_, Result<(), MembershipError>> {
        let why = "these peers are always the same".to_owned();
        Box::pin(std::future::ready(Err(MembershipError::Refused(why))))
    }

    fn accept(&self, connection: Connection) -> BoxFuture<'static, ()> {
        Box::pin(async {
            let (mut reader, mut writer) = tokio::io::split(connection);
            // A link that breaks ends as well.
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        })
    }

    fn hand_over(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.leaving.entered.notify_one();
            self.leaving.released.notified().await;
        })
    }
}

/// Opens the entrance and waits until the test says that the others are there.
#[derive(Debug)]
struct Meeting {
    peers: Arc<Echoes>,
    opened: oneshot::Sender<SocketAddr>,
    met: Arc<Notify>,
}

impl Backend for Meeting {
    async fn open(self, host: Arc<dyn Host>, node: NodeName) -> Result<Parts, Fault> {
        let Self { peers, opened, met } = self;
        let listening = host.listen(([127, 0, 0, 1], 0).into()).await;
        let listener = listening.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let linked = peers.clone();
        let entrance = Entrance::open(host.clone(), listener, move |peer| linked.accept(peer));
        opened.send(address).expect("the test waits for it");
        met.notified().await;
        let parts = Memory.open(host, node).await?;
        Ok(parts.with_peers(peers).with_listener(entrance))
    }
}

/// A node that waits for the others.
pub(crate) struct Starting {
    pub(crate) peers: Arc<Echoes>,
    pub(crate) address: SocketAddr,
    met: Arc<Notify>,
    node: JoinHandle<Node>,
}

impl Starting {
    pub(crate) async fn begin() -> Self {
        let mut limits = Limits::default();
        // Nothing is to wait for the end of a link.
        limits.drain_wait = Duration::from_secs(3600);
        let (opened, address) = oneshot::channel();
        let (peers, met) = (Arc::<Echoes>::default(), Arc::<Notify>::default());
        let backend = Meeting { peers: peers.clone(), opened, met: met.clone() };
        let builder = builder(limits, Arc::default()).backend(backend);
        let start = async { builder.start().await.expect("the shop fits together") };
        let node = tokio::spawn(start);
        Self { peers, address: address.await.expect("it opens"), met, node }
    }

    /// The others are there.
    pub(crate) async fn meet(self) -> (Node, Arc<Echoes>) {
        self.met.notify_one();
        (self.node.await.expect("no panic"), self.peers)
    }
}

/// What a peer asks for a link with.
pub(crate) const ASK: &str =
    "GET /catga/peer HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: catga/1\r\n\r\n";

/// A peer's link to the node at `address`.
#[derive(Debug)]
pub(crate) struct Link(TcpStream);

impl Link {
    pub(crate) async fn dial(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(ASK.as_bytes()).await.expect("it takes bytes");
        let granted = answer(&mut stream).await.to_ascii_lowercase();
        assert!(granted.starts_with("http/1.1 101 "), "{granted}");
        assert!(granted.contains("\r\nupgrade: catga/1\r\n"), "{granted}");
        assert!(granted.contains("\r\nconnection: upgrade\r\n"), "{granted}");
        let mut link = Self(stream);
        link.echoes().await;
        link
    }

    /// What is said comes back.
    pub(crate) async fn echoes(&mut self) {
        let mut heard = [0; 4];
        let echoed = async {
            self.0.write_all(b"echo").await.expect("it takes bytes");
            self.0.read_exact(&mut heard).await.expect("it answers");
        };
        tokio::time::timeout(Duration::from_secs(10), echoed).await.expect("the link is alive");
        assert_eq!(&heard, b"echo");
    }
}
