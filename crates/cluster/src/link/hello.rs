use bytes::Bytes;
use catga_core::NodeName;
use prost::Message;

use crate::{Address, Peer, StoreId};

use super::ground::Ground;
use super::{LinkOptions, Protocol};

/// How long what is sent in a handshake may be.
pub(super) const HELLO_MAX: usize = 4 << 10;

/// What a nonce and a store id have.
const NONCE_BYTES: usize = 32;

/// Who somebody is, and what it wants to know of the other end.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Hello {
    #[prost(uint32, tag = "1")]
    pub(super) major: u32,
    #[prost(uint32, tag = "2")]
    pub(super) minor: u32,
    #[prost(string, tag = "3")]
    pub(super) cluster: String,
    #[prost(string, tag = "4")]
    pub(super) name: String,
    #[prost(fixed64, tag = "5")]
    pub(super) id: u64,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) store: Bytes,
    #[prost(string, tag = "7")]
    pub(super) address: String,
    /// Never used again, so that no proof is.
    #[prost(bytes = "bytes", tag = "8")]
    pub(super) nonce: Bytes,
    /// Whether it has a secret.
    #[prost(bool, tag = "9")]
    pub(super) secret: bool,
}

/// What a handshake found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Met {
    pub(super) peer: Peer,
    /// Where the peer says that it is reached.
    pub(super) address: Address,
    /// What both speak.
    pub(super) protocol: Protocol,
}

impl Hello {
    /// This node's, with a new nonce.
    pub(super) fn new(ground: &Ground) -> Self {
        let LinkOptions { cluster, me, address, protocol, secret, .. } = &ground.options;
        let mut nonce = Vec::with_capacity(NONCE_BYTES);
        while nonce.len() < NONCE_BYTES {
            nonce.extend(ground.host.random().to_le_bytes());
        }
        Self {
            major: protocol.major,
            minor: protocol.minor,
            cluster: cluster.clone(),
            name: me.name.as_str().to_owned(),
            id: me.id,
            store: Bytes::copy_from_slice(&me.store.0.to_le_bytes()),
            address: address.to_string(),
            nonce: nonce.into(),
            secret: secret.is_some(),
        }
    }

    /// What a peer sent.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        Self::decode(bytes).map_err(|error| format!("its hello cannot be read: {error}"))
    }

    /// Whether a node with `options` takes the sender for a peer.
    ///
    /// # Errors
    /// Why not, as both are told.
    pub(super) fn meet(&self, options: &LinkOptions) -> Result<Met, String> {
        let LinkOptions { cluster, me, protocol, secret, .. } = options;
        // First, because the rest may mean something else there.
        let theirs = Protocol { major: self.major, minor: self.minor };
        let Some(protocol) = protocol.common(theirs) else {
            let ours = protocol.major;
            return Err(format!("protocol {} is not spoken here, but {ours}", self.major));
        };
        let texts = [&self.cluster, &self.name, &self.address];
        if texts.iter().any(|text| text.chars().any(char::is_control)) {
            return Err("its hello has control characters".to_owned());
        }
        if self.cluster != *cluster {
            return Err(format!("not of this cluster: `{}` is not `{cluster}`", self.cluster));
        }
        let store = <[u8; 16]>::try_from(&*self.store);
        let Ok(store) = store.map(|bytes| StoreId(u128::from_le_bytes(bytes))) else {
            return Err("its hello has no store id".to_owned());
        };
        if self.nonce.len() != NONCE_BYTES {
            return Err(format!("its nonce has {} bytes", self.nonce.len()));
        }
        let name = NodeName::new(self.name.as_str());
        if self.id == me.id && store == me.store && name == me.name {
            return Err(format!("this is node {name} itself"));
        }
        if self.id == me.id || name == me.name {
            let (id, my_id, my_name) = (self.id, me.id, &me.name);
            return Err(format!("node {name} ({id}) is taken for node {my_name} ({my_id}) here"));
        }
        match (self.secret, secret.is_some()) {
            (true, false) => Err(format!("node {name} has a secret, and none is set here")),
            (false, true) => Err(format!("node {name} has no secret, and one is set here")),
            _ => {
                let peer = Peer { name, id: self.id, store };
                Ok(Met { peer, address: self.address.as_str().into(), protocol })
            }
        }
    }
}
