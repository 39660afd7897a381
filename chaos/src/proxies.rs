mod dialer;
mod pipe;

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::pipe::pipe;

/// A proxy before each node, for machines where nobody may make networks. All nodes are given the
/// proxies' addresses as those of the members; who dials is told by the owner of the socket.
///
/// What a cut loses here is the way of bytes, not of packets: a connection is still accepted, and
/// silent. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Proxies {
    /// Where they listen, one before each node.
    addresses: Vec<SocketAddr>,
    weather: watch::Sender<Weather>,
    /// Ended when dropped.
    _at_work: JoinSet<()>,
}

/// What happens to the bytes from one node to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    /// They arrive.
    #[default]
    Whole,
    /// They wait until the link is whole again.
    Cut,
    /// They arrive late.
    Late(Duration),
    /// They arrive a few at a time.
    Dribbling,
}

/// All links, by sender and receiver.
#[derive(Clone, Debug)]
struct Weather {
    links: Arc<[Vec<Link>]>,
    /// How often connections from one to another were reset.
    resets: Arc<[Vec<u64>]>,
}

impl Weather {
    fn of(nodes: usize) -> Self {
        let links = vec![vec![Link::Whole; nodes]; nodes].into();
        Self { links, resets: vec![vec![0; nodes]; nodes].into() }
    }

    fn link(&self, (from, to): (usize, usize)) -> Link {
        self.links[from][to]
    }

    /// Of a connection, whichever of the two made it.
    fn resets(&self, (from, to): (usize, usize)) -> u64 {
        self.resets[from][to] + self.resets[to][from]
    }
}

impl Proxies {
    /// A proxy before each of the nodes at `nodes`.
    ///
    /// # Errors
    /// When one cannot listen.
    pub(crate) fn start(nodes: &[SocketAddr]) -> Result<Self> {
        let (weather, seen) = watch::channel(Weather::of(nodes.len()));
        let (mut addresses, mut at_work) = (Vec::new(), JoinSet::new());
        for (to, node) in nodes.iter().copied().enumerate() {
            let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).context("bind a proxy")?;
            listener.set_nonblocking(true)?;
            addresses.push(listener.local_addr()?);
            let listener = TcpListener::from_std(listener)?;
            at_work.spawn(serve(listener, to, node, seen.clone()));
        }
        Ok(Self { addresses, weather, _at_work: at_work })
    }

    /// What a node's environment must say besides.
    pub(crate) fn variables(&self, node: usize) -> [(&'static str, String); 2] {
        let url = |address: &SocketAddr| format!("http://{address}");
        let members: Vec<_> = self.addresses.iter().map(url).collect();
        let own = url(&self.addresses[node]);
        [("CLUSTER_MEMBERS", members.join(",")), ("CLUSTER_ADDRESS", own)]
    }

    /// Has these links be so.
    pub(crate) fn set(&self, changed: &[(usize, usize)], link: Link) {
        self.weather.send_modify(|weather| {
            let mut links = weather.links.to_vec();
            changed.iter().for_each(|(from, to)| links[*from][*to] = link);
            weather.links = links.into();
        });
    }

    /// Ends all connections between these, both ways, as if a router forgot them.
    pub(crate) fn reset(&self, between: &[(usize, usize)]) {
        self.weather.send_modify(|weather| {
            let mut resets = weather.resets.to_vec();
            between.iter().for_each(|(from, to)| resets[*from][*to] += 1);
            weather.resets = resets.into();
        });
    }

    /// Has all links be whole.
    pub(crate) fn heal(&self) {
        self.weather.send_modify(|weather| {
            weather.links = Weather::of(weather.links.len()).links;
        });
    }
}

/// Takes connections to the node `to`, until dropped.
async fn serve(listener: TcpListener, to: usize, node: SocketAddr, seen: watch::Receiver<Weather>) {
    let mut connections = JoinSet::new();
    loop {
        // One that fails is nobody's any more.
        let Ok((dialed, peer)) = listener.accept().await else { continue };
        let seen = seen.clone();
        connections.spawn(async move {
            // Who has died meanwhile needs no answer.
            let Some(from) = dialer::of(peer) else { return };
            let Ok(reached) = TcpStream::connect(node).await else { return };
            pipe(dialed, reached, (from, to), seen).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
