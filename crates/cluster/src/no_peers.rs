use std::time::Duration;

use bytes::Bytes;
use catga_host::BoxFuture;
use tokio::sync::watch;

use crate::{Address, CallError, LinkState, Peers, Recipient, Topic};

/// The way to the other nodes of a node that has none and reaches none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoPeers;

impl Peers for NoPeers {
    fn call(
        &self,
        to: &Recipient,
        _: Topic,
        _: Vec<Bytes>,
        _: Duration,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        let why = format!("this node runs alone and has no way to {}", to.address);
        Box::pin(async { Err(CallError::NotSent(why)) })
    }

    fn link(&self, _: &Address) -> watch::Receiver<LinkState> {
        watch::channel(LinkState::Connecting).1
    }
}
