//! Nodes for these tests, and what handles their requests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use catga_core::NodeName;
use catga_host::{BoxFuture, Deadlines, Host, timeout};
use catga_testkit::VirtualHost;
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::super::ground::Ground;
use super::super::{LinkOptions, Links};
use super::net::{Machine, Net};
use crate::{Address, CallError, LinkState, NodeId, Peer, Peers, Recipient, Serve, StoreId, Topic};

pub(in crate::link) const SECOND: Duration = Duration::from_secs(1);

pub(in crate::link) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(in crate::link) fn address(id: NodeId) -> Address {
    format!("node{id}:1").into()
}

pub(in crate::link) fn me(id: NodeId) -> Peer {
    Peer { name: NodeName::new(format!("n{id}")), id, store: StoreId(u128::from(id) << 70) }
}

pub(in crate::link) fn options(id: NodeId) -> LinkOptions {
    LinkOptions { upgrade: false, ..LinkOptions::new("shop", me(id), address(id)) }
}

/// What links stand on, for a test that plays a peer itself.
pub(in crate::link) fn ground(options: LinkOptions) -> Ground {
    let own = VirtualHost::new(options.me.id + 1000);
    let host: Arc<dyn Host> = Arc::new(Machine { own, net: Net::default() });
    let deadlines = Deadlines::new(Arc::clone(&host));
    Ground { application: Arc::clone(&host), host, options, deadlines }
}

/// A node with links, which it accepts too.
pub(in crate::link) struct Node {
    pub(in crate::link) links: Links,
    pub(in crate::link) machine: Arc<Machine>,
    pub(in crate::link) desk: Arc<Desk>,
    pub(in crate::link) address: Address,
}

impl Node {
    pub(in crate::link) fn start(net: &Net, id: NodeId) -> Self {
        Self::with(net, options(id))
    }

    pub(in crate::link) fn with(net: &Net, options: LinkOptions) -> Self {
        Self::on(net, VirtualHost::new(options.me.id), options)
    }

    pub(in crate::link) fn on(net: &Net, own: Arc<VirtualHost>, options: LinkOptions) -> Self {
        let machine = Machine { own, net: net.clone() };
        let (machine, address) = (Arc::new(machine), options.address.clone());
        let links = Links::new(Arc::clone(&machine) as Arc<dyn Host>, options);
        let desk = Arc::new(Desk::default());
        links.serve(Arc::clone(&desk) as Arc<dyn Serve>);
        let (listener, listening) = (net.listen(&address), links.clone());
        let listen = async move { listening.listen(listener).await };
        drop(machine.spawn("listen", Box::pin(listen)));
        Self { links, machine, desk, address }
    }

    /// Its process dies.
    pub(in crate::link) async fn kill(self) {
        self.machine.own.crash().await;
    }

    pub(in crate::link) fn call(
        &self,
        to: &Node,
        topic: Topic,
        request: impl Into<Bytes>,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        self.call_within(&to.address, topic, request, SECOND)
    }

    pub(in crate::link) fn call_within(
        &self,
        to: &Address,
        topic: Topic,
        request: impl Into<Bytes>,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        let to = Recipient { address: Arc::clone(to), id: None };
        self.links.call(&to, topic, vec![request.into()], within)
    }

    pub(in crate::link) fn state(&self, of: &Address) -> LinkState {
        self.links.link(of).borrow().clone()
    }

    /// Waits until the link to `of` is as `wanted` says, and gives that state.
    pub(in crate::link) async fn wait_until(
        &self,
        of: &Address,
        wanted: impl FnMut(&LinkState) -> bool,
    ) -> LinkState {
        let mut link = self.links.link(of);
        let wait = async { link.wait_for(wanted).await.map(|state| state.clone()) };
        let state = timeout(&*self.machine, ms(10_000), wait).await;
        state.unwrap_or_else(|_| panic!("{:?}", self.state(of))).expect("the links are there")
    }

    pub(in crate::link) async fn wait_until_up(&self, to: &Node) {
        self.links.connect_to(&[Arc::clone(&to.address)]);
        self.wait_until(&to.address, |state| matches!(state, LinkState::Up(_))).await;
    }
}

/// Lets `calls` go on by themselves; their ends are waited for later.
pub(in crate::link) fn go(
    calls: Vec<BoxFuture<'static, Result<Bytes, CallError>>>,
) -> impl Future<Output = Vec<Result<Bytes, CallError>>> {
    let calls = tokio::spawn(join_all(calls));
    async { calls.await.expect("no call panics") }
}

pub(in crate::link) async fn two(net: &Net) -> (Node, Node) {
    let (one, two) = (Node::start(net, 1), Node::start(net, 2));
    one.wait_until_up(&two).await;
    two.wait_until_up(&one).await;
    (one, two)
}

/// Handles requests as their first word says.
pub(in crate::link) struct Desk {
    pub(in crate::link) seen: Mutex<Vec<(Topic, Bytes)>>,
    /// What `hold` waits for.
    pub(in crate::link) gate: Arc<Semaphore>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { seen: Mutex::default(), gate: Arc::new(Semaphore::new(0)) }
    }
}

impl Desk {
    pub(in crate::link) fn seen(&self) -> Vec<(Topic, Bytes)> {
        self.seen.lock().expect("no test goes on after a panic").clone()
    }
}

impl Serve for Desk {
    fn serve(
        &self,
        from: &Peer,
        topic: Topic,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        self.seen.lock().expect("no test goes on after a panic").push((topic, request.clone()));
        let (gate, from) = (Arc::clone(&self.gate), from.clone());
        if request.starts_with(b"panic now") {
            panic!("as it was asked to");
        }
        Box::pin(async move {
            match &*request {
                request if request.starts_with(b"hold") => drop(gate.acquire().await),
                b"fail" => return Err("it will not".to_owned()),
                b"panic" => panic!("as it was asked to"),
                b"much" => return Ok(vec![7; 3 << 20].into()),
                b"who" => return Ok(from.name.as_str().to_owned().into()),
                _ => {}
            }
            Ok(request)
        })
    }
}
