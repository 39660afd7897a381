use std::sync::Arc;
use std::time::Duration;

use crate::{Address, Peer};

use super::tls::Credentials;
use super::{Protocol, Secret};

/// How a node keeps its links.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LinkOptions {
    /// The cluster's id: nodes of another are refused.
    pub cluster: String,
    /// This node, as it names itself to its peers.
    pub me: Peer,
    /// Where its peers reach it.
    pub address: Address,
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// What peers must know, as this node does. Without it anybody who reaches the address and
    /// knows the cluster's id is a peer.
    pub secret: Option<Secret>,
    /// By what it proves that it is itself, and knows its peers.
    pub(super) tls: Option<Arc<Credentials>>,
    /// How long a connection on which nothing is sent is left alone, before a ping is.
    pub keepalive: Duration,
    /// How long a living peer is silent at most: several keepalives and the way.
    pub silence: Duration,
    /// How long a request, and an answer, may be, in bytes; the peer must take as many.
    pub max_request: usize,
    /// How many bytes of requests to one peer may be under way, waiting ones counted. An eighth is
    /// kept for urgent requests, a quarter is what parts of snapshots get. A request longer than
    /// its share goes alone. Of what a peer sends, as many bytes may wait for a handler.
    pub in_flight_bytes: usize,
    /// Whether links are asked for by HTTP, as at a listener that serves HTTP too.
    pub upgrade: bool,
}

impl LinkOptions {
    /// The usual options of the node `me`, reached at `address`.
    pub fn new(cluster: impl Into<String>, me: Peer, address: impl Into<Address>) -> Self {
        Self {
            cluster: cluster.into(),
            me,
            address: address.into(),
            protocol: Protocol::CURRENT,
            secret: None,
            tls: None,
            keepalive: Duration::from_millis(25),
            silence: Duration::from_millis(100),
            max_request: 64 << 20,
            in_flight_bytes: 32 << 20,
            upgrade: true,
        }
    }

    /// The same, with TLS by `credentials`: links to whoever has none like them are refused.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, credentials: Arc<Credentials>) -> Self {
        self.tls = Some(credentials);
        self
    }
}
