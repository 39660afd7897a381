//! What a node does with the requests of another: whatever the bytes, there is an answer, and no handler
//! sees a command that is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use catga::prelude::*;
use catga::{MessagePack, NodeName, PeerCalls, PeerError};
use catga_core::Format;
use catga_fuzz::Choices;
use catga_testkit::VirtualHost;
use catga_tests::shared_cluster::{NAMES, SharedCluster};
use tokio::runtime::{Builder, Runtime};

/// Adds to a tally.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "tally.add", reply = u64)]
struct Add {
    tally: String,
    amount: Vec<u64>,
    #[serde(default)]
    why: Option<Why>,
}

/// One within the other, as far as somebody likes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Why {
    because: Option<Box<Why>>,
}

struct Tallies(Arc<AtomicU64>);

#[service]
impl Tallies {
    async fn add(&self, cmd: Add, _tx: &mut Tx) -> Answer<u64> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(cmd.amount.iter().fold(0, |sum, amount| sum.wrapping_add(*amount)))
    }
}

/// A cluster whose first node leads, and the way of its second node to the others.
struct Rig {
    runtime: Runtime,
    cluster: SharedCluster,
    nodes: [Node; 3],
    runs: Arc<AtomicU64>,
    /// Of the second node.
    session: u64,
    sequence: u64,
}

impl Rig {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let (runtime, runs) = (runtime.expect("a runtime"), Arc::new(AtomicU64::new(0)));
        let (cluster, nodes, session) = runtime.block_on(async {
            let host = VirtualHost::new(1);
            let cluster = SharedCluster::new(&host);
            let start = async |name, backend| {
                let runs = Arc::clone(&runs);
                let builder = Catga::builder().name(name).host(host.clone()).backend(backend);
                builder.service(move |_| Tallies(runs)).start().await.expect("it starts")
            };
            let nodes = cluster.start(start).await;
            let add = Add { tally: "a".to_owned(), amount: vec![1], why: None };
            let report = nodes[1].send(add).reported().await.report.expect("it is durable");
            (cluster, nodes, report.message_id.session.0)
        });
        Self { runtime, cluster, nodes, runs, session, sequence: 1 << 40 }
    }

    /// An id that nobody has used.
    fn id(&mut self) -> (u64, u64) {
        self.sequence += 1;
        (self.session, self.sequence)
    }

    fn ask(&self, to: usize, request: Bytes) -> Result<Bytes, PeerError> {
        let line = self.cluster.board.line(1);
        let call = line.call(&NodeName::new(NAMES[to]), request, Duration::from_secs(3600));
        self.runtime.block_on(call)
    }

    fn goes_on(&self) {
        let add = Add { tally: "a".to_owned(), amount: vec![2, 3], why: None };
        assert_eq!(self.runtime.block_on(async { self.nodes[0].send(add).await }), Ok(5));
    }
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A field of protobuf: a number, or bytes.
fn number(out: &mut Vec<u8>, tag: u64, value: u64) {
    varint(out, tag << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, tag: u64, value: &[u8]) {
    varint(out, tag << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A request to run a command, as `forward/wire.rs` of the runtime has it.
fn request(
    name: &str,
    payload: &[u8],
    (session, sequence): (u64, u64),
    remaining_us: u64,
) -> Vec<u8> {
    let (mut id, mut command, mut request) = (Vec::new(), Vec::new(), Vec::new());
    number(&mut id, 1, session);
    number(&mut id, 2, sequence);
    bytes(&mut command, 1, name.as_bytes());
    bytes(&mut command, 2, payload);
    bytes(&mut command, 3, &id);
    number(&mut command, 4, 1_800_000_000_000);
    number(&mut request, 1, 1);
    number(&mut request, 2, remaining_us);
    bytes(&mut request, 3, &command);
    request
}

fn said(answer: &Bytes, what: &str) -> bool {
    answer.windows(what.len()).any(|part| part == what.as_bytes())
}

fn payload(choices: &mut Choices<'_>) -> Vec<u8> {
    let why = (0..choices.below(5))
        .fold(Why { because: None }, |why, _| Why { because: Some(Box::new(why)) });
    let add = Add {
        tally: choices.text(9),
        amount: (0..choices.below(4)).map(|_| choices.number()).collect(),
        why: choices.flip().then_some(why),
    };
    let mut payload = Vec::new();
    MessagePack::encode(&add, &mut payload).expect("it can be written");
    if choices.flip() {
        choices.change(&mut payload);
    }
    payload
}

#[test]
fn whatever_another_node_asks_is_answered() {
    let mut rig = Rig::start();
    catga_fuzz::target!(1_500, 512, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let to = if choices.byte() < 200 { 0 } else { 2 };
        let id = if choices.byte() < 200 { rig.id() } else { (choices.number(), choices.number()) };
        let name = if choices.byte() < 220 { "tally.add" } else { "tally.other" };
        let remaining_us = if choices.flip() { 10_000_000 } else { choices.number() };
        let payload = payload(&mut choices);
        let whole = request(name, &payload, id, remaining_us);
        let mut sent = whole.clone();
        if choices.flip() {
            choices.change(&mut sent);
        }
        let is_whole = sent == whole;
        if choices.byte() < 40 {
            // Several at once.
            let mut batch = Vec::new();
            (0..choices.below(4)).for_each(|_| bytes(&mut batch, 1, &sent));
            sent.clear();
            number(&mut sent, 1, 1);
            number(&mut sent, 2, remaining_us);
            bytes(&mut sent, 5, &batch);
        }
        let before = rig.runs.load(Ordering::Relaxed);
        let answer = rig.ask(to, sent.into()).expect("there is an answer");
        assert!(!answer.is_empty());
        let ran = rig.runs.load(Ordering::Relaxed) > before;
        let is_add = MessagePack::decode::<Add>(&payload).is_ok();
        let may_run = is_add && to == 0 && name == "tally.add";
        assert!(!is_whole || !ran || may_run, "a handler ran: {payload:?}");
        if is_whole && to == 0 && name == "tally.add" && !is_add && remaining_us == 10_000_000 {
            assert!(!ran, "{answer:?}");
        }
        if choices.byte() == 0 {
            rig.goes_on();
        }
    });
}

/// So deep that a reader which calls itself for each level ends the process.
#[test]
fn a_payload_of_any_depth_is_refused_and_the_node_goes_on() {
    const DEPTH: usize = 100_000;
    let mut rig = Rig::start();
    let field = |name: &str, deep: &[u8]| -> Vec<u8> {
        // A map of the two fields that must be there and another.
        let mut payload = b"\x83\xa5tally\xa1a\xa6amount\x91\x01".to_vec();
        payload.push(0xa0 | name.len() as u8);
        payload.extend_from_slice(name.as_bytes());
        payload.extend_from_slice(deep);
        payload
    };
    let (arrays, maps) = ([0x91].repeat(DEPTH), [0x81, 0xa1, b'a'].repeat(DEPTH));
    let ended = |deep: &[u8]| [deep, &[0xc0]].concat();
    for (payload, is_refused) in [
        (ended(&arrays), true),
        (ended(&maps), true),
        (arrays.clone(), true),
        (field("why", &ended(&arrays)), true),
        (field("why", &ended(&maps)), true),
        (field("why", &ended(&[b"\x81\xa7because".as_slice()].concat().repeat(DEPTH))), true),
        // Fields that nobody reads.
        (field("other", &ended(&arrays)), true),
        (field("other", &ended(&maps)), true),
        (field("other", &[0xc0]), false),
    ] {
        let (id, runs) = (rig.id(), rig.runs.load(Ordering::Relaxed));
        let sent = request("tally.add", &payload, id, 10_000_000);
        let answer = rig.ask(0, sent.into()).expect("there is an answer");
        assert_eq!(said(&answer, "invalid-message"), is_refused, "{answer:?}");
        assert_eq!(rig.runs.load(Ordering::Relaxed) == runs, is_refused);
    }
    rig.goes_on();
}
