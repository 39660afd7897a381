use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use catga_host::{Connection, Host};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::batch::Batch;
use super::super::connection::Wires;
use super::super::frame::{Header, Kind};
use super::super::handshake::{MAGIC, Unmet, shake};
use super::super::hello::{HELLO_MAX, Hello};
use super::super::secret::Role;
use super::super::{LinkOptions, Protocol, Secret};
use super::net::Net;
use super::node::{Node, SECOND, address, ground, me, ms, options, two};
use crate::{LinkState, Peer, StoreId, Topic};

fn secret(secret: &str) -> Option<Secret> {
    Some(Secret::new(secret).expect("it is long enough"))
}

const OURS: &str = "the secret of the shop";

/// Lets a node dial another; what both say of it.
async fn meet(dialler: LinkOptions, acceptor: LinkOptions) -> (Result<Protocol, String>, String) {
    let (here, there) = tokio::io::duplex(64 << 10);
    let dial = async {
        let mut wires = Wires::new(here, BytesMut::new());
        shake(&ground(dialler), &mut wires, Role::Dialler).await
    };
    let accept = async {
        let mut wires = Wires::new(there, BytesMut::new());
        shake(&ground(acceptor), &mut wires, Role::Acceptor).await
    };
    let (dialled, accepted) = tokio::join!(dial, accept);
    let protocol = match dialled {
        Ok(met) => Ok(met.protocol),
        Err(Unmet::Refused(why)) => Err(why),
        Err(other) => panic!("{other:?}"),
    };
    let accepted = match accepted {
        Ok(met) => met.peer.name.to_string(),
        Err(Unmet::Refused(why)) => why,
        Err(other) => panic!("{other:?}"),
    };
    (protocol, accepted)
}

#[tokio::test(start_paused = true)]
async fn whoever_is_refused_hears_why() {
    let with = |change: fn(&mut LinkOptions)| {
        let mut options = options(2);
        change(&mut options);
        options
    };
    let twin = Peer { id: 9, ..me(1) };
    let cases: Vec<(LinkOptions, &str)> = vec![
        (with(|o| o.cluster = "other".to_owned()), "not of this cluster"),
        (with(|o| o.protocol.major = 2), "is not spoken here"),
        (with(|o| o.secret = secret(OURS)), "secret"),
        (LinkOptions { me: twin, ..options(2) }, "node n1 (9) is taken for node n1 (1) here"),
        (with(|o| o.me = Peer { id: 1, ..me(2) }), "is taken for"),
        (options(1), "this is node n1 itself"),
        (with(|o| o.address = "node\n:1".into()), "control characters"),
        (with(|o| o.cluster = "long".repeat(HELLO_MAX)), "hello has"),
    ];
    for (other, why) in cases {
        for (dialler, acceptor) in [(other.clone(), options(1)), (options(1), other.clone())] {
            let (dialled, accepted) = meet(dialler, acceptor).await;
            let dialled = dialled.expect_err("they refuse each other");
            let (one, two) = (dialled.contains("refuses: "), accepted.contains("refuses: "));
            assert!(one != two, "one of them refuses: {dialled} / {accepted}");
            // The one with a short hello may be told of the long one's by its end only.
            for said in [&dialled, &accepted] {
                assert!(said.contains(why) || said.contains("is taken for"), "{why}: {said}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_knows_the_secret_is_met_and_nobody_else() {
    let with = |id, text| LinkOptions { secret: secret(text), ..options(id) };
    let met = meet(with(1, OURS), with(2, OURS)).await;
    assert_eq!(met, (Ok(Protocol::CURRENT), "n1".to_owned()));
    let (dialled, accepted) = meet(with(1, OURS), with(2, "the secret of the shed")).await;
    assert_eq!(dialled, Err("it refuses: the secret of node n1 differs".to_owned()));
    assert_eq!(accepted, "the secret of node n1 differs");
}

#[tokio::test(start_paused = true)]
async fn the_smaller_minor_version_is_spoken() {
    let newer = LinkOptions { protocol: Protocol { major: 1, minor: 7 }, ..options(1) };
    assert_eq!(meet(newer, options(2)).await.0, Ok(Protocol { major: 1, minor: 0 }));
}

#[tokio::test(start_paused = true)]
async fn a_link_says_why_it_is_refused() {
    let net = Net::default();
    let one = Node::start(&net, 1);
    let two = Node::with(&net, LinkOptions { cluster: "other".to_owned(), ..options(2) });
    one.links.connect_to(std::slice::from_ref(&two.address));
    let refused = |state: &LinkState| matches!(state, LinkState::Refused(_));
    let state = one.wait_until(&two.address, refused).await;
    let why = "it refuses: not of this cluster: `shop` is not `other`";
    assert_eq!(state, LinkState::Refused(why.to_owned()));
    let call = one.call(&two, Topic::Raft, "x").await.expect_err("it is refused");
    assert!(call.to_string().contains(why), "{call}");
    assert!(two.desk.seen().is_empty());
}

/// Carries bytes between two streams, and keeps what the first one sent.
async fn tap(mut from: DuplexStream, mut to: DuplexStream, heard: Arc<Mutex<Vec<u8>>>) {
    let (mut there, mut back) = (vec![0; 4096], vec![0; 4096]);
    loop {
        tokio::select! {
            biased;
            read = from.read(&mut there) => match read {
                Ok(bytes) if bytes > 0 => {
                    heard.lock().expect("nobody panics").extend(&there[..bytes]);
                    to.write_all(&there[..bytes]).await.expect("it listens");
                }
                _ => return,
            },
            read = to.read(&mut back) => match read {
                Ok(bytes) if bytes > 0 => from.write_all(&back[..bytes]).await.expect("so does it"),
                _ => return,
            },
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_proves_nothing_the_next_time() {
    let with = |id| LinkOptions { secret: secret(OURS), ..options(id) };
    let acceptor = Arc::new(ground(with(2)));
    let accept = async |stream| {
        let mut wires = Wires::new(stream, BytesMut::new());
        shake(&acceptor, &mut wires, Role::Acceptor).await
    };
    let (dials, from) = tokio::io::duplex(64 << 10);
    let (to, accepts) = tokio::io::duplex(64 << 10);
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let tap = tokio::spawn(tap(from, to, Arc::clone(&heard)));
    let dialler = ground(with(1));
    let mut wires = Wires::new(dials, BytesMut::new());
    let dial = shake(&dialler, &mut wires, Role::Dialler);
    let (dialled, accepted) = tokio::join!(dial, accept(accepts));
    assert!(dialled.is_ok() && accepted.is_ok());
    tap.abort();

    let heard = heard.lock().expect("nobody panics").clone();
    let (mut replays, accepts) = tokio::io::duplex(64 << 10);
    replays.write_all(&heard).await.expect("there is room");
    let replayed = accept(accepts).await;
    assert_eq!(replayed, Err(Unmet::Refused("the secret of node n1 differs".to_owned())));
}

async fn send(wires: &mut Wires<DuplexStream>, kind: Kind, payload: Vec<u8>) {
    let mut batch = Batch::<()>::new();
    batch.push(&Header::lone(kind, 0), vec![payload.into()]);
    batch.write(&mut wires.writer, |_| ()).await.expect("there is room");
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_is_sent_back_proves_nothing() {
    let knows = ground(LinkOptions { secret: secret(OURS), ..options(1) });
    let (here, there) = tokio::io::duplex(64 << 10);
    let mut wires = Wires::new(here, BytesMut::new());
    let dial = shake(&knows, &mut wires, Role::Dialler);
    let reflect = async {
        let mut wires = Wires::new(there, BytesMut::new());
        wires.send_magic(&MAGIC).await.expect("there is room");
        let differs = wires.reader.differs_from(&MAGIC).await.expect("its magic");
        assert_eq!(differs, None);
        wires.reader.next().await.expect("its hello");
        let hello = Hello { secret: true, ..Hello::new(&ground(options(2))) };
        send(&mut wires, Kind::Hello, hello.encode_to_vec()).await;
        let proof = wires.reader.next().await.expect("its proof");
        assert_eq!(proof.payload.len(), 32);
        send(&mut wires, Kind::Proof, proof.payload.to_vec()).await;
    };
    let (dialled, ()) = tokio::join!(dial, reflect);
    assert_eq!(dialled, Err(Unmet::Refused("the secret of node n2 differs".to_owned())));

    // Nor does the whole hello of a node, sent back to it.
    let (here, there) = tokio::io::duplex(64 << 10);
    let mut wires = Wires::new(here, BytesMut::new());
    let dial = shake(&knows, &mut wires, Role::Dialler);
    let reflect = async {
        let mut wires = Wires::new(there, BytesMut::new());
        wires.send_magic(&MAGIC).await.expect("there is room");
        let differs = wires.reader.differs_from(&MAGIC).await.expect("its magic");
        assert_eq!(differs, None);
        let hello = wires.reader.next().await.expect("its hello");
        send(&mut wires, Kind::Hello, hello.payload.to_vec()).await;
    };
    let (dialled, ()) = tokio::join!(dial, reflect);
    assert_eq!(dialled, Err(Unmet::Refused("this is node n1 itself".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_has_an_end_and_so_has_what_is_sent_in_it() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    let (mut here, there) = tokio::io::duplex(64 << 10);
    let began = one.machine.now();
    one.links.accept(Connection::new(there)).await;
    assert_eq!(one.machine.now() - began, SECOND * 3);
    let mut said = Vec::new();
    here.read_to_end(&mut said).await.expect("it has ended");
    assert_eq!(said, MAGIC);

    let (mut here, there) = tokio::io::duplex(64 << 10);
    let hello = [&MAGIC[..], &Header::lone(Kind::Hello, 0).encode(&[vec![0; 5000].into()])];
    here.write_all(&hello.concat()).await.expect("there is room");
    let began = one.machine.now();
    one.links.accept(Connection::new(there)).await;
    assert!(one.machine.now() - began < ms(200));
    let mut said = Vec::new();
    here.read_to_end(&mut said).await.expect("it has ended");
    assert!(String::from_utf8_lossy(&said).contains("5000 bytes"));
    assert!(one.call(&two, Topic::Log, "x").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn so_many_are_asked_who_they_are_and_no_more_at_once() {
    let one = Node::start(&Net::default(), 1);
    let stranger = || {
        let (here, there) = tokio::io::duplex(64 << 10);
        let links = one.links.clone();
        (here, tokio::spawn(async move { links.accept(Connection::new(there)).await }))
    };
    let mut strangers: Vec<_> = (0..64).map(|_| stranger()).collect();
    for (here, _) in &mut strangers {
        let mut said = [0; MAGIC.len()];
        here.read_exact(&mut said).await.expect("it is asked");
        assert_eq!(said, MAGIC);
    }
    let began = one.machine.now();
    let (mut here, accepted) = stranger();
    let mut said = Vec::new();
    here.read_to_end(&mut said).await.expect("it has ended");
    accepted.await.expect("it ends without a panic");
    assert!(said.is_empty() && one.machine.now() == began);
    // There is a place for the next one when one of them has gone.
    let (here, accepted) = strangers.pop().expect("there are some");
    drop(here);
    accepted.await.expect("it ends without a panic");
    let (here, _accepted) = stranger();
    let mut wires = Wires::new(here, BytesMut::new());
    let met = shake(&ground(options(2)), &mut wires, Role::Dialler).await;
    assert_eq!(met.map(|met| met.peer), Ok(me(1)));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_lost_its_data_is_another_node() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    let place = two.address.clone();
    two.kill().await;
    let wiped = Peer { id: 77, store: StoreId(7), ..me(2) };
    let two = Node::with(&net, LinkOptions { me: wiped.clone(), ..options(2) });
    one.wait_until(&place, |state| *state == LinkState::Up(wiped.clone())).await;
    assert!(one.call(&two, Topic::Log, "x").await.is_ok());
    assert_eq!(address(2), place);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_says_so_to_whoever_dials_it_then() {
    let net = Net::default();
    let one = Node::start(&net, 1);
    one.links.leave().await;
    let (here, there) = tokio::io::duplex(64 << 10);
    let mut wires = Wires::new(here, BytesMut::new());
    let dialler = ground(options(2));
    let dial = shake(&dialler, &mut wires, Role::Dialler);
    let (met, ()) = tokio::join!(dial, one.links.accept(Connection::new(there)));
    assert_eq!(met, Err(Unmet::Left));
}
