//! Somebody at the other end of a stream, who may know the secret of the cluster or not, through
//! the whole way of a connection that was dialled here.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use catga_fuzz::{Choices, allocated};
use catga_host::{Connection, Host};
use futures_util::FutureExt;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::{Builder, Runtime};

use super::super::LinkOptions;
use super::super::connection::Wires;
use super::super::dial::HANDSHAKE_WAIT;
use super::super::frame::{HEADER_BYTES, Header, Kind};
use super::super::handshake::{MAGIC, Unmet, shake};
use super::super::hello::{HELLO_MAX, Hello, Met};
use super::super::secret::{Role, Secret};
use super::super::tests::{Net, Node, ground, options};

const ITERATIONS: usize = 1_500;
const BYTES: usize = 1024;

/// What a stream between the two holds.
const BUFFER: usize = 16 << 10;

const OURS: &str = "the secret of the shop";

/// What is reserved for somebody who has proved nothing: the room of the first read.
const BEFORE_PROOF: usize = 80 << 10;

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

pub(super) fn guarded(id: u64) -> LinkOptions {
    LinkOptions { secret: Some(Secret::new(OURS).expect("long enough")), ..options(id) }
}

fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let header = Header::lone(kind, 0).encode(&[Bytes::copy_from_slice(payload)]);
    [&header[..], payload].concat()
}

/// The hello of somebody: a peer's, with changes, or one of its own.
fn hello(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut hello = Hello { secret: true, ..Hello::new(&ground(options(2))) };
    match choices.byte() % 8 {
        0 => hello.major = choices.byte().into(),
        1 => hello.minor = choices.number() as u32,
        2 => hello.cluster = choices.text(40),
        3 => hello.name = choices.text(40),
        4 => hello.id = choices.number(),
        5 => hello.store = choices.bytes(20).to_vec().into(),
        6 => hello.nonce = choices.bytes(40).to_vec().into(),
        _ => {}
    }
    let mut bytes = hello.encode_to_vec();
    if choices.flip() {
        choices.change(&mut bytes);
    }
    bytes
}

/// What somebody does: says hello, and proves or pretends to know the secret.
struct Somebody {
    hello: Vec<u8>,
    /// What becomes of the right proof; none for one who sends `made` in its place.
    changes: Option<Vec<u8>>,
    made: Vec<u8>,
    /// What was sent is the right proof.
    proved: Cell<bool>,
}

impl Somebody {
    fn of(choices: &mut Choices<'_>) -> Self {
        let hello = hello(choices);
        let changes = match choices.byte() % 3 {
            0 => Some(Vec::new()),
            1 => Some(choices.bytes(40).to_vec()),
            _ => None,
        };
        Self { hello, changes, made: choices.bytes(80).to_vec(), proved: Cell::new(false) }
    }

    /// Plays the other end, as which it has `role`. None once the stream is no more.
    async fn play(&self, mut stream: DuplexStream, role: Role) -> Option<()> {
        stream.write_all(&MAGIC).await.ok()?;
        if role == Role::Dialler {
            stream.write_all(&frame(Kind::Hello, &self.hello)).await.ok()?;
        }
        stream.read_exact(&mut [0; MAGIC.len()]).await.ok()?;
        let theirs = payload(&mut stream).await?;
        if role == Role::Acceptor {
            stream.write_all(&frame(Kind::Hello, &self.hello)).await.ok()?;
        }
        let proof = self.proof(role, &theirs);
        stream.write_all(&frame(Kind::Proof, &proof)).await.ok()?;
        stream.read_to_end(&mut Vec::new()).await.ok()?;
        Some(())
    }

    fn proof(&self, role: Role, theirs: &[u8]) -> Vec<u8> {
        let (dialler, acceptor) = match role {
            Role::Dialler => (&self.hello[..], theirs),
            Role::Acceptor => (theirs, &self.hello[..]),
        };
        let length = (dialler.len() as u64).to_le_bytes();
        let transcript = [&length, dialler, acceptor].concat();
        let right = Secret::new(OURS).expect("long enough").prove(role, &transcript);
        let mut proof = self.made.clone();
        if let Some(changes) = &self.changes {
            proof.clone_from(&right);
            Choices::new(changes).change(&mut proof);
        }
        self.proved.set(proof == right);
        proof
    }

    /// Whom a node with `options` meets, if it does what it must.
    fn is_met(&self, options: &LinkOptions) -> Option<Met> {
        let is_read = self.hello.len() <= HELLO_MAX && self.proved.get();
        let hello = is_read.then(|| Hello::read(&self.hello).ok()).flatten();
        hello.and_then(|hello| hello.meet(options).ok())
    }
}

async fn payload(stream: &mut DuplexStream) -> Option<Vec<u8>> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await.ok()?;
    let (_, length) = Header::decode(&header, HELLO_MAX).ok()?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    Some(payload)
}

/// Lets this node shake hands with somebody.
async fn meet(somebody: &Somebody, role: Role) -> Result<Met, Unmet> {
    let (here, there) = tokio::io::duplex(BUFFER);
    let ground = ground(guarded(1));
    let mut wires = Wires::new(here, BytesMut::new());
    let shakes = async {
        let met = shake(&ground, &mut wires, role).await;
        drop(wires);
        met
    };
    tokio::join!(shakes, somebody.play(there, role.other())).0
}

#[test]
fn who_is_no_peer_or_does_not_know_the_secret_gets_no_link() {
    let runtime = runtime();
    let _within = runtime.enter();
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let role = if choices.flip() { Role::Dialler } else { Role::Acceptor };
        let somebody = Somebody::of(&mut choices);
        let met = runtime.block_on(meet(&somebody, role));
        assert_eq!(met.as_ref().ok(), somebody.is_met(&guarded(1)).as_ref(), "{met:?}");
        assert!(!matches!(met, Err(Unmet::Left)), "it said no farewell");
    });
}

/// What somebody sends who follows no protocol.
fn noise(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    match choices.byte() % 4 {
        0 => bytes.clear(),
        1 => bytes.extend(frame(Kind::Hello, &hello(choices))),
        2 => {
            bytes.extend(frame(Kind::Hello, &hello(choices)));
            bytes.extend(frame(Kind::Proof, choices.bytes(40)));
        }
        _ => {
            let header = Header::lone(Kind::Hello, choices.number()).encode(&[]);
            bytes.extend_from_slice(&header);
            let within = choices.below(HELLO_MAX + 2) as u64;
            let length = if choices.flip() { within } else { choices.number() };
            let length = (length as u32).to_le_bytes();
            bytes[MAGIC.len()..MAGIC.len() + 4].copy_from_slice(&length);
        }
    }
    choices.change(&mut bytes);
    bytes.extend_from_slice(choices.rest());
    bytes
}

/// The whole way of a connection that somebody has dialled: it ends in time, nothing of it reaches a
/// handler, and nothing is reserved for it.
#[test]
fn a_stranger_gets_no_link_no_memory_and_no_time() {
    let runtime = runtime();
    let _within = runtime.enter();
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        // Half of them wait for more, the others hang up.
        let (stays, portion) = (choices.flip(), 1 + choices.below(200));
        let noise = noise(&mut choices);
        let (largest, waited) = runtime.block_on(async {
            let node = Node::with(&Net::default(), guarded(1));
            let (here, mut there) = tokio::io::duplex(BUFFER);
            let stranger = async move {
                for portion in noise.chunks(portion) {
                    if there.write_all(portion).await.is_err() {
                        break;
                    }
                }
                if stays {
                    pending::<()>().await;
                }
            };
            let began = node.machine.now();
            let links = node.links.clone();
            let mut accept = pin!(links.accept(Connection::new(here)));
            let mut stranger = pin!(stranger.fuse());
            let mut largest = 0;
            let accepted = poll_fn(|cx| {
                let _ = stranger.as_mut().poll(cx);
                let (polled, took) = allocated(|| accept.as_mut().poll(cx));
                largest = took.largest.max(largest);
                polled
            });
            accepted.await;
            assert!(node.desk.seen().is_empty());
            let waited = node.machine.now() - began;
            node.kill().await;
            (largest, waited)
        });
        assert!(largest <= BEFORE_PROOF, "{largest} bytes at once");
        assert!(waited <= HANDSHAKE_WAIT + Duration::from_millis(1), "{waited:?}");
    });
}

#[test]
fn a_hello_is_read_as_it_was_written_or_refused() {
    let runtime = runtime();
    let _within = runtime.enter();
    catga_fuzz::target!(4_000, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let bytes = hello(&mut choices);
        let (read, took) = allocated(|| Hello::read(&bytes));
        assert!(took.total <= 8 * bytes.len() + 1024, "{took:?} for {} bytes", bytes.len());
        let Ok(read) = read else { return };
        assert_eq!(Hello::read(&read.encode_to_vec()).as_ref(), Ok(&read));
        if let Ok(met) = read.meet(&guarded(1)) {
            assert_eq!(met.peer.name.as_str(), read.name);
            assert!(met.peer.id != 1 && !met.address.chars().any(char::is_control));
        }
    });
}
