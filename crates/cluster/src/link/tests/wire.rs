use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use catga_host::Connection;
use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf};

use super::super::assembly::{Assembly, Whole};
use super::super::batch::Batch;
use super::super::connection::Wires;
use super::super::frame::{Header, Kind};
use super::super::handshake::shake;
use super::super::outbox::{Message, Outbox};
use super::super::reader::FrameReader;
use super::super::secret::Role;
use super::net::Net;
use super::node::{Node, address, ground, me, ms, options, two};
use crate::{LinkState, Topic};

const TOPICS: [Topic; 4] = [Topic::Raft, Topic::Append, Topic::Snapshot, Topic::Application];

fn frame(kind: Kind, topic: Option<Topic>, number: u64, last: bool, payload: Vec<u8>) -> Vec<u8> {
    let header = Header { kind, topic, last, doubt: false, number };
    let payload = Bytes::from(payload);
    [&header.encode(std::slice::from_ref(&payload))[..], &payload].concat()
}

/// A peer whose handshake with `node` is done, and which then sends what it likes.
async fn intruder(node: &Node) -> (Wires<DuplexStream>, tokio::task::JoinHandle<()>) {
    let (here, there) = tokio::io::duplex(1 << 20);
    let links = node.links.clone();
    let accepted = tokio::spawn(async move { links.accept(Connection::new(there)).await });
    let mut wires = Wires::new(here, BytesMut::new());
    let met = shake(&ground(options(66)), &mut wires, Role::Dialler).await;
    assert!(met.is_ok(), "{met:?}");
    (wires, accepted)
}

#[tokio::test(start_paused = true)]
async fn whatever_breaks_the_protocol_ends_the_link_with_a_reason() {
    let net = Net::default();
    let (one, two) = two(&net).await;
    let request =
        |number, last, payload| frame(Kind::Request, Some(Topic::Append), number, last, payload);
    let mut flipped = request(1, true, vec![1; 100]);
    flipped[60] ^= 4;
    let mut endless = request(1, true, vec![]);
    endless[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let long: Vec<u8> = (0..1100).flat_map(|_| request(1, false, vec![0; 64 << 10])).collect();
    let vote = frame(Kind::Request, Some(Topic::Raft), 1, false, vec![0; 64 << 10]);
    let cases = [
        (flipped, "changed on its way"),
        (endless, "a frame of 4294967295 bytes"),
        (vec![0xff; 400], "no frame begins so"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), "no frame begins so"),
        (long, "longer than 67108864 bytes"),
        (vote.repeat(17), "longer than 1048576 bytes"),
        ([request(2, true, vec![]), request(2, true, vec![])].concat(), "number 2 after 2"),
        ([request(2, false, vec![1]), request(3, true, vec![])].concat(), "3 within number 2"),
        (frame(Kind::Answer, Some(Topic::Log), 1, true, vec![]), "Answer does not belong here"),
        (frame(Kind::Hello, None, 1, true, vec![]), "Hello does not belong here"),
    ];
    for (bytes, why) in cases {
        let (mut wires, accepted) = intruder(&one).await;
        let said = async {
            loop {
                match wires.reader.next().await {
                    Ok(frame) if frame.header.kind == Kind::Refused => return frame.payload,
                    Ok(_) => {}
                    Err(error) => panic!("{why}: {error}"),
                }
            }
        };
        // It may be refused before it has sent everything.
        let send = async { _ = wires.writer.write_all(&bytes).await };
        let (said, ()) = tokio::join!(said, send);
        assert!(String::from_utf8_lossy(&said).contains(why), "{why}: {said:?}");
        accepted.await.expect("it ends without a panic");
    }
    // Torn off within a frame, it just ends.
    let (mut wires, accepted) = intruder(&one).await;
    let torn = request(1, true, vec![1; 100]);
    wires.writer.write_all(&torn[..70]).await.expect("there is room");
    drop(wires);
    accepted.await.expect("it ends without a panic");
    // None of it was handed over but the whole and proper request, and the others live.
    assert_eq!(one.desk.seen().len(), 1);
    assert_eq!(two.call(&one, Topic::Log, "x").await, Ok("x".into()));
    assert_eq!(two.state(&one.address), LinkState::Up(me(1)));
}

#[tokio::test(start_paused = true)]
async fn a_newer_connection_of_a_peer_takes_the_place_of_the_older() {
    let net = Net::default();
    let one = Node::start(&net, 1);
    let (mut older, accepted) = intruder(&one).await;
    let (mut newer, _accepted) = intruder(&one).await;
    let request = |number, text: &str| {
        frame(Kind::Request, Some(Topic::Append), number, true, text.as_bytes().to_vec())
    };
    newer.writer.write_all(&request(1, "new")).await.expect("there is room");
    let answer = newer.reader.next().await.expect("it is answered");
    assert_eq!((answer.header.kind, &*answer.payload), (Kind::Answer, &b"new"[..]));
    older.writer.write_all(&request(9, "old")).await.expect("there is room");
    let end = older.reader.next().await.expect("it hears why");
    assert_eq!(end.header.kind, Kind::Refused);
    accepted.await.expect("it ends without a panic");
    assert_eq!(one.desk.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_every_handler_is_busy_and_a_flood_is_not() {
    let net = Net::default();
    let one = Node::start(&net, 1);
    let (mut wires, _accepted) = intruder(&one).await;
    let hold = |number| frame(Kind::Request, Some(Topic::Log), number, true, b"hold".to_vec());
    let requests: Vec<u8> = (1..=2000).flat_map(hold).collect();
    wires.writer.write_all(&requests).await.expect("there is room");
    wires.writer.write_all(&frame(Kind::Ping, None, 42, true, vec![])).await.expect("and more");
    let pong = wires.reader.next().await.expect("it is answered");
    assert_eq!((pong.header.kind, pong.header.number), (Kind::Pong, 42));
    let flood: Vec<u8> = (0..2000).flat_map(|n| frame(Kind::Ping, None, n, true, vec![])).collect();
    wires.writer.write_all(&flood).await.expect("there is room");
    let mut pongs = 0;
    while let Ok(Ok(frame)) = tokio::time::timeout(ms(20), wires.reader.next()).await {
        pongs += usize::from(frame.header.kind == Kind::Pong);
    }
    assert!(pongs > 0 && pongs < 2000, "{pongs}");
    assert_eq!(one.desk.seen().len(), 1024);
}

#[tokio::test(start_paused = true)]
async fn a_dialler_asks_over_http_and_takes_what_follows() {
    let net = Net::default();
    let listener = net.listen(&address(2));
    let one = Node::with(&net, super::super::LinkOptions { upgrade: true, ..options(1) });
    one.links.connect_to(&[address(2)]);
    let (mut stream, _) = listener.accept().await.expect("it dials");
    let mut request = vec![0; 4096];
    let length = stream.read(&mut request).await.expect("it asks");
    assert!(request[..length].starts_with(b"GET /catga/peer HTTP/1.1\r\nHost: node2:1\r\n"));
    stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await.expect("there is room");
    drop(stream);
    let refused = |state: &LinkState| matches!(state, LinkState::Refused(_));
    let state = one.wait_until(&address(2), refused).await;
    let LinkState::Refused(why) = state else { panic!("{state:?}") };
    assert!(why.contains("503 Service Unavailable"), "{why}");

    let (mut stream, _) = listener.accept().await.expect("it dials again");
    let length = stream.read(&mut request).await.expect("it asks");
    assert!(request[..length].ends_with(b"\r\n\r\n"));
    let grant =
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: catga/1\r\n\r\n";
    stream.write_all(grant).await.expect("there is room");
    let mut wires = Wires::new(stream, BytesMut::new());
    let met = shake(&ground(options(2)), &mut wires, Role::Acceptor).await;
    assert_eq!(met.map(|met| met.peer), Ok(me(1)));
    one.wait_until(&address(2), |state| *state == LinkState::Up(me(2))).await;
}

/// Gives `bytes` in the lengths of `cuts`, then ends.
struct Cut {
    bytes: Bytes,
    cuts: Vec<usize>,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let cut = self.cuts.pop().unwrap_or(usize::MAX).max(1);
        let length = cut.min(buf.remaining()).min(self.bytes.len());
        buf.put_slice(&self.bytes.split_to(length));
        Poll::Ready(Ok(()))
    }
}

/// All messages in `bytes` up to where they break.
fn read_all(bytes: Bytes, cuts: Vec<usize>) -> Vec<Whole> {
    let read = async {
        let mut reader = FrameReader::new(Cut { bytes, cuts }, BytesMut::new());
        let (mut assembly, mut whole) = (Assembly::new(1 << 20), Vec::new());
        while let Ok(frame) = reader.next().await {
            match assembly.add(frame) {
                Ok(message) => whole.extend(message),
                Err(_) => break,
            }
        }
        whole
    };
    catga_testkit::block_on(read)
}

fn messages() -> impl Strategy<Value = Vec<(usize, Vec<u8>)>> {
    let length = prop_oneof![8 => 0..300_usize, 1 => 60_000..140_000_usize];
    let payload = (length, any::<u8>()).prop_map(|(length, fill)| vec![fill; length]);
    vec((0..TOPICS.len(), payload), 1..12)
}

/// What the writer makes of `messages`, numbered from one, all of which wait.
fn write_all(messages: &[(usize, Vec<u8>)]) -> Bytes {
    let mut outbox = Outbox::new();
    for ((topic, payload), number) in messages.iter().zip(1..) {
        let halves = payload.split_at(payload.len() / 2);
        let pieces = [halves.0, halves.1].map(Bytes::copy_from_slice).to_vec().into();
        let (kind, topic) = (Kind::Request, TOPICS[*topic]);
        let message = Message { kind, topic, doubt: false, number, pieces, held: Arc::new(()) };
        outbox.push(number, message);
    }
    let mut bytes = Vec::new();
    loop {
        let mut batch = Batch::new();
        outbox.fill(&mut batch, |_, _| true);
        if batch.is_empty() {
            return bytes.into();
        }
        let written = batch.write(&mut bytes, |_| ()).now_or_never();
        written.expect("memory takes all").expect("and does not fail");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn messages_come_whole_and_in_the_order_of_their_lanes(
        messages in messages(),
        cuts in vec(1..100_000_usize, 0..20),
    ) {
        let came = read_all(write_all(&messages), cuts);
        prop_assert_eq!(came.len(), messages.len());
        for whole in &came {
            let (topic, payload) = &messages[whole.header.number as usize - 1];
            prop_assert_eq!(whole.topic, TOPICS[*topic]);
            prop_assert!(whole.payload == payload[..]);
        }
        for lane in [&TOPICS[..1], &TOPICS[2..3], &[TOPICS[1], TOPICS[3]]] {
            let numbers = came.iter().filter(|whole| lane.contains(&whole.topic));
            prop_assert!(numbers.map(|whole| whole.header.number).is_sorted());
        }
    }

    #[test]
    fn a_changed_stream_gives_what_was_before_the_change_and_nothing_else(
        messages in messages(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        cuts in vec(1..100_000_usize, 0..20),
    ) {
        let stream = write_all(&messages);
        let whole = read_all(stream.clone(), Vec::new());
        let mut changed = stream.to_vec();
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        let came = read_all(changed.into(), cuts.clone());
        prop_assert!(came.len() < whole.len() && came[..] == whole[..came.len()]);
        let came = read_all(stream.slice(..at), cuts);
        prop_assert!(came.len() < whole.len() && came[..] == whole[..came.len()]);
    }

    #[test]
    fn garbage_gives_nothing(bytes in vec(any::<u8>(), 0..4096), cuts in vec(1..99_usize, 0..20)) {
        prop_assert_eq!(read_all(bytes.into(), cuts), Vec::new());
    }

    #[test]
    fn a_hello_of_any_bytes_is_read_or_refused(bytes in vec(any::<u8>(), 0..512)) {
        if let Ok(hello) = super::super::hello::Hello::read(&bytes) {
            prop_assert!(hello.meet(&options(1)).is_err());
        }
    }
}
