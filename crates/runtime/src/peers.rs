use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_core::NodeName;
use catga_host::{BoxFuture, Connection};

use catga_journal::Held;

use crate::{CertificateStatus, MemberStatus, MembershipChange, MembershipError};

/// The way to the other nodes of the cluster.
///
/// # Contract
/// 1. A request reaches its handler at most once, unchanged, and an answer reaches the request that
///    it belongs to.
/// 2. [`PeerError::NotSent`] proves that no handler saw the request and none will.
/// 3. [`call`](Self::call) ends within the time that it is given, or soon after.
/// 4. What waits is bounded.
/// 5. The journal that goes with it tells a doubt at once (a replica that keeps none), since the
///    node asks the next leader then.
pub trait PeerCalls: fmt::Debug + Send + Sync + 'static {
    /// Sends `request` to the node called `to` and waits `within` for its answer.
    ///
    /// # Errors
    /// Why there is no answer, and whether the request may have been handled.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the answer; the request may be handled.
    fn call(
        &self,
        to: &NodeName,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>>;

    /// Hands the requests of other nodes to `handler`; called once, before the node serves. Those
    /// that come before were not sent.
    fn serve(&self, handler: Arc<dyn PeerRequests>);

    /// The members as this node sees them.
    fn members(&self) -> Vec<MemberStatus>;

    /// True while a change of voters is half done, as far as this node knows.
    fn is_changing(&self) -> bool {
        false
    }

    /// How full the tables of the links are.
    fn held(&self) -> Vec<Held> {
        Vec::new()
    }

    /// Changes who belongs to the cluster, or leads it; whichever node this is, the leader does it.
    ///
    /// # Errors
    /// See [`MembershipError`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether the change is made; asked again, it goes on.
    fn change(&self, change: MembershipChange) -> BoxFuture<'_, Result<(), MembershipError>>;

    /// By what this node proves to its peers that it is itself, if it does.
    fn certificate(&self) -> Option<CertificateStatus> {
        None
    }

    /// Looks at once whether there is a newer certificate, and takes it. True if there was.
    ///
    /// # Errors
    /// Why a newer one was not taken; the old one goes on.
    fn reload_certificate(&self) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Takes a peer's connection, which came by HTTP and was upgraded; ready once it has ended.
    ///
    /// # Cancel safety
    /// Dropping the future ends the connection.
    fn accept(&self, connection: Connection) -> BoxFuture<'static, ()>;

    /// Hands leadership over, if this node leads, before it stops; ready once another node leads,
    /// or none could be found.
    fn hand_over(&self) -> BoxFuture<'_, ()>;
}

/// Why a peer's answer did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerError {
    /// Proved: no handler saw the request, and none will. Why.
    NotSent(String),
    /// It may have been handled, or may still be. Why that is not known.
    Unknown(String),
}

/// What answers the requests of other nodes.
pub trait PeerRequests: fmt::Debug + Send + Sync + 'static {
    /// Answers `request`, which the node called `from` sent. It never panics, whatever the bytes.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether the request took effect.
    fn handle(&self, from: &NodeName, request: Bytes) -> BoxFuture<'static, Bytes>;
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) => write!(f, "the request was not sent: {why}"),
            Self::Unknown(why) => write!(f, "the answer did not come: {why}"),
        }
    }
}

impl std::error::Error for PeerError {}
