//! Links over real sockets: what a stream in memory does not do, such as writing many pieces at once
//! or a few bytes of one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_cluster::{
    Address, LinkOptions, LinkState, Links, Peer, Peers, Recipient, Secret, Serve, StoreId, Topic,
};
use catga_core::NodeName;
use catga_host::{BoxFuture, Host, TokioHost};

/// Answers with what it was asked.
struct Echo;

impl Serve for Echo {
    fn serve(
        &self,
        _: &Peer,
        _: Topic,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        Box::pin(std::future::ready(Ok(request)))
    }
}

async fn node(id: u64) -> (Links, Address) {
    let host: Arc<dyn Host> = Arc::new(TokioHost::current());
    let any = "127.0.0.1:0".parse().expect("an address");
    let listener = host.listen(any).await.expect("a free port");
    let address: Address = listener.local_addr().expect("it listens").to_string().into();
    let me = Peer { name: NodeName::new(format!("n{id}")), id, store: StoreId(id.into()) };
    let mut options = LinkOptions::new("shop", me, Arc::clone(&address));
    options.upgrade = false;
    options.secret = Some(Secret::new("the secret of the shop").expect("long enough"));
    // The machine of a test may be busy with others.
    options.silence = Duration::from_secs(10);
    let links = Links::new(Arc::clone(&host), options);
    links.serve(Arc::new(Echo));
    let listening = links.clone();
    drop(host.spawn("listen", Box::pin(async move { listening.listen(listener).await })));
    (links, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_all_lengths_cross_real_sockets_and_a_farewell_is_heard() {
    let ((one, at_one), (two, at_two)) = (node(1).await, node(2).await);
    one.connect_to(std::slice::from_ref(&at_two));
    two.connect_to(std::slice::from_ref(&at_one));
    let topics = [Topic::Raft, Topic::Append, Topic::Application, Topic::Snapshot];
    let mut calls = Vec::new();
    for n in 0..400_usize {
        let (from, to) = if n % 2 == 0 { (&one, &at_two) } else { (&two, &at_one) };
        let pieces: Vec<_> = (0..n % 7).map(|m| Bytes::from(vec![m as u8; n * 131])).collect();
        let (to, whole) = (Recipient { address: Arc::clone(to), id: None }, pieces.concat());
        let call = from.call(&to, topics[n % 4], pieces, Duration::from_secs(60));
        calls.push(async move { assert!(call.await == Ok(whole.into()), "call {n}") });
    }
    futures_util::future::join_all(calls).await;
    let mut link = one.link(&at_two);
    two.leave().await;
    link.wait_for(|state| *state == LinkState::Left).await.expect("the links are there");
}
