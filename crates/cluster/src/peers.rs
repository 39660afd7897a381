use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_core::NodeName;
use catga_host::{BoxFuture, Host};
use tokio::sync::watch;

use crate::{NodeId, StoreId};

/// Where a node is reached: `host:port`.
pub type Address = Arc<str>;

/// The way to the other nodes of a cluster: requests, and answers to them.
///
/// # Contract
/// 1. A request reaches its handler at most once, unchanged, and an answer reaches the request that
///    it belongs to.
/// 2. [`CallError::NotSent`] proves that no handler saw the request; after any other error one may
///    have.
/// 3. Requests of one lane to one node are handed over in the order in which they were made.
///    Answers come as they are ready. An urgent request does not wait behind a long one.
/// 4. What waits is bounded: a call waits for room until its time is up.
pub trait Peers: Send + Sync + 'static {
    /// Sends `request`, whose pieces are one after another, to the node at `to`, and waits `within`
    /// for its answer.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the answer; the request may be handled.
    fn call(
        &self,
        to: &Recipient,
        topic: Topic,
        request: Vec<Bytes>,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, CallError>>;

    /// The thread that the links run on, if they have one to themselves: whoever exchanges much with
    /// peers runs there as well.
    fn thread(&self) -> Option<Arc<dyn Host>> {
        None
    }

    /// How the links to `address` are, now and as it changes.
    fn link(&self, address: &Address) -> watch::Receiver<LinkState>;
}

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipient {
    /// Where it is.
    pub address: Address,
    /// Its number, where any other node at that address must not get the request.
    pub id: Option<NodeId>,
}

/// What a request is about: it decides who handles it and in which lane it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Topic {
    /// Votes, heartbeats and the transfer of leadership: urgent.
    Raft = 1,
    /// Entries of the log.
    Append = 2,
    /// Whether others have lost the leader too: urgent.
    Succession = 3,
    /// What the log itself asks of its leader: read indexes.
    Log = 4,
    /// Parts of a snapshot: they give way to everything else.
    Snapshot = 5,
    /// Who belongs to the cluster, before there is one, and when it grows.
    Membership = 6,
    /// What the layers above the log ask: commands on their way to the leader.
    Application = 7,
}

/// A peer as it named itself when its link was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its written name.
    pub name: NodeName,
    /// Its number.
    pub id: NodeId,
    /// Its data directory.
    pub store: StoreId,
}

/// What handles the requests of peers.
pub trait Serve: Send + Sync + 'static {
    /// Handles one request. Called in the order of contract 3; what it returns runs concurrently.
    ///
    /// # Errors
    /// Why it was not handled. That proves to the caller that it has no effect.
    fn serve(
        &self,
        from: &Peer,
        topic: Topic,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, String>>;
}

/// How the links between this node and another are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// Not made yet, or being made again; nothing is known of the node.
    Connecting,
    /// Requests get through.
    Up(Peer),
    /// The node's process has ended: its end closed the link without a farewell, and it takes no
    /// new one.
    Gone,
    /// The node said that it stops.
    Left,
    /// Nothing was heard of it for as long as a living node is silent at most.
    Silent,
    /// It is there and will not have this node, or this node will not have it: why.
    Refused(String),
}

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// No handler has seen it: why.
    NotSent(String),
    /// The link ended before the answer came: why.
    Lost(String),
    /// No answer came in time.
    TimedOut,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) => write!(f, "the request was not sent: {why}"),
            Self::Lost(why) => write!(f, "the link ended before the answer came: {why}"),
            Self::TimedOut => f.write_str("no answer came in time"),
        }
    }
}

impl std::error::Error for CallError {}
