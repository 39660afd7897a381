//! A peer that was dialled and has proved who it is, and then sends anything.

use std::collections::BTreeMap;
use std::iter::zip;

use bytes::{Bytes, BytesMut};
use catga_fuzz::{Choices, allocated};
use catga_host::{Connection, Host, Listener, timeout};
use tokio::io::AsyncWriteExt;

use super::super::LinkOptions;
use super::super::assembly::Assembly;
use super::super::batch::Batch;
use super::super::connection::Wires;
use super::super::frame::{Frame, Header, Kind};
use super::super::handshake::shake;
use super::super::lane::{LANES, Lane};
use super::super::secret::Role;
use super::super::tests::{Net, Node, SECOND, address, go, ground, ms};
use super::frames::{READER_BYTES, TOPICS, frames, write_checksums};
use super::handshake::{guarded, runtime};
use crate::{CallError, Topic};

const ITERATIONS: usize = 1_500;
const BYTES: usize = 1024;

/// The longest answer that is taken, unless a request is long.
const ANSWER_MAX: usize = 300;

/// A request of which a stream takes only a part: those of its lane behind it do not begin.
const LONG: usize = 320 << 10;
static LONG_REQUEST: [u8; LONG] = [7; LONG];

/// What everything takes together, the links and what is played included.
const ALL_BYTES: usize = 1 << 20;

/// Why a link has ended on which there came what must not.
const MUST_NOT: &str = "the node sent what it must not";

const KINDS: [Kind; 9] = [
    Kind::Request,
    Kind::Answer,
    Kind::Failure,
    Kind::Ping,
    Kind::Pong,
    Kind::Goodbye,
    Kind::Refused,
    Kind::Hello,
    Kind::Proof,
];

/// A request of the node.
#[derive(Clone, Debug)]
struct Asked {
    topic: Topic,
    request: Bytes,
    /// The peer may have got some of it.
    begun: bool,
    /// Nobody waits for its answer any more.
    given_up: bool,
}

/// What the node asks: its numbers are those of the places, from one on. Of one that is `stuck`, the
/// first request is too long for the stream.
fn asked(choices: &mut Choices<'_>, stuck: bool) -> Vec<Asked> {
    let count = 1 + choices.below(8);
    let mut asked: Vec<_> = (1..=count)
        .map(|number| {
            let topic = *choices.one_of(&TOPICS);
            let begun = !stuck || Lane::of(topic) == Lane::Urgent;
            let given_up = choices.byte() % 4 == 1;
            Asked { topic, request: format!("request {number}").into(), begun, given_up }
        })
        .collect();
    if stuck {
        let request = Bytes::from_static(&LONG_REQUEST);
        asked[0] = Asked { topic: Topic::Append, request, begun: true, given_up: false };
    }
    asked
}

fn encoded(header: &Header, payload: &[u8]) -> Vec<u8> {
    [&header.encode(&[Bytes::copy_from_slice(payload)])[..], payload].concat()
}

/// An answer to one of the requests that were `asked`, or to none, in some fragments.
fn answer(choices: &mut Choices<'_>, asked: &[Asked], sent: &mut Vec<Vec<u8>>) {
    let place = choices.below(asked.len());
    let (mut number, mut topic) = (place as u64 + 1, asked[place].topic);
    match choices.byte() % 16 {
        1 => number = choices.number(),
        2 => number = asked.len() as u64 + 1,
        3 => topic = *choices.one_of(&TOPICS),
        _ => {}
    }
    let kind = if choices.byte() % 4 == 1 { Kind::Failure } else { Kind::Answer };
    let doubt = choices.flip();
    let parts = choices.below(4);
    for part in 0..=parts {
        let last = part == parts;
        let header = Header { kind, topic: Some(topic), last, doubt, number };
        sent.push(encoded(&header, choices.bytes(120)));
    }
}

/// What a peer sends: answers, frames of all other kinds, in some order, some of them twice or not at
/// all, and one with a length that it has not.
fn sent(choices: &mut Choices<'_>, asked: &[Asked]) -> Vec<u8> {
    let mut changes = choices.clone();
    let _ = choices.bytes(24);
    let mut sent = Vec::new();
    while !choices.is_over() && sent.len() < 60 {
        if choices.byte() % 8 != 1 {
            answer(choices, asked, &mut sent);
            continue;
        }
        let kind = *choices.one_of(&KINDS);
        sent.push(encoded(&Header::lone(kind, choices.number()), choices.bytes(40)));
    }
    for _ in 0..changes.below(4) {
        let (one, other) = (changes.below(sent.len()), changes.below(sent.len()));
        match changes.byte() % 4 {
            _ if sent.is_empty() => {}
            0 => sent.swap(one, other),
            1 => sent.insert(one, sent[other].clone()),
            2 => drop(sent.remove(one)),
            _ => {
                let claimed = changes.number() as u32;
                sent[one][..4].copy_from_slice(&claimed.to_le_bytes());
            }
        }
    }
    sent.concat()
}

/// What becomes of the requests by `came`, and what the node says of the end of the link: none if it
/// goes on.
fn expected(
    asked: &[Asked],
    came: &[Frame],
    answer_max: usize,
    broken: Option<&'static str>,
) -> (BTreeMap<u64, Result<Bytes, CallError>>, Option<&'static str>) {
    let mut answered = BTreeMap::new();
    let mut lanes: [Vec<Frame>; LANES] = Default::default();
    for frame in came {
        let Header { kind, last, doubt, number, .. } = frame.header;
        let topic = match (kind, frame.header.topic) {
            (Kind::Ping | Kind::Pong, _) => continue,
            (Kind::Goodbye, _) => return (answered, Some("the node said that it stops")),
            (Kind::Refused, _) => return (answered, Some("the peer ended it")),
            (Kind::Answer | Kind::Failure, Some(topic)) => topic,
            _ => return (answered, Some(MUST_NOT)),
        };
        let lane = &mut lanes[Lane::of(topic).index()];
        lane.push(frame.clone());
        let of_one = |part: &Frame| Header { last, ..part.header } == frame.header;
        let length: usize = lane.iter().map(|part| part.payload.len()).sum();
        let is_empty = !last && frame.payload.is_empty();
        if !lane.iter().all(of_one) || length > answer_max || is_empty {
            return (answered, Some(MUST_NOT));
        }
        if !last {
            continue;
        }
        let parts = std::mem::take(lane);
        let payload: Bytes = parts.iter().flat_map(|part| part.payload.iter().copied()).collect();
        let place = number.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let Some(call) = place.and_then(|place| asked.get(place)) else {
            if number == 0 {
                continue;
            }
            return (answered, Some(MUST_NOT));
        };
        if call.given_up || answered.contains_key(&number) {
            continue;
        }
        if !call.begun || call.topic != topic {
            return (answered, Some(MUST_NOT));
        }
        let why = String::from_utf8_lossy(&payload).into_owned();
        answered.insert(
            number,
            match (kind, doubt) {
                (Kind::Answer, _) => Ok(payload),
                (_, true) => Err(CallError::Lost(why)),
                (_, false) => Err(CallError::NotSent(why)),
            },
        );
    }
    (answered, broken)
}

/// What the peer hears of its link.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    GoesOn,
    Ended,
    Refused,
}

async fn hear(node: &Node, wires: &mut Wires<Connection>) -> Heard {
    loop {
        match timeout(&*node.machine, ms(10), wires.reader.next()).await {
            Ok(Ok(frame)) if frame.header.kind == Kind::Refused => {
                assert!(!frame.payload.is_empty(), "it says why");
                return Heard::Refused;
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Heard::Ended,
            Err(_) => return Heard::GoesOn,
        }
    }
}

/// The next link that the node makes.
async fn met_at(listener: &Listener) -> Wires<Connection> {
    let ground = ground(guarded(2));
    loop {
        let (stream, _) = listener.accept().await.expect("it dials");
        let mut wires = Wires::new(stream, BytesMut::new());
        if shake(&ground, &mut wires, Role::Acceptor).await.is_ok() {
            return wires;
        }
    }
}

/// Answers each request with itself. It is whole, and nothing of it came on the link before.
async fn echo(asked: &[Asked], mut wires: Wires<Connection>) {
    let mut assembly = Assembly::new(LONG);
    loop {
        let frame = wires.reader.next().await.expect("the link goes on");
        let Kind::Request = frame.header.kind else { continue };
        let Some(whole) = assembly.add(frame).expect("it keeps the order") else { continue };
        if let Some(call) = asked.get(whole.header.number as usize - 1) {
            assert!(!call.begun && call.request == whole.payload, "{:?}", whole.header);
        }
        let mut batch = Batch::<()>::new();
        batch.push(&Header { kind: Kind::Answer, ..whole.header }, vec![whole.payload]);
        batch.write(&mut wires.writer, |_| ()).await.expect("the link goes on");
    }
}

/// What a peer sends, and how.
struct Sent {
    bytes: Vec<u8>,
    portion: usize,
    /// It takes no request before.
    stuck: bool,
}

impl Sent {
    /// The longest answer that the node takes: it takes as much as it sends.
    fn answer_max(&self) -> usize {
        if self.stuck { LONG } else { ANSWER_MAX }
    }
}

/// Plays a peer that sends this on the first link, and answers properly on the next. What came of those
/// requests that were not given up, and what the peer heard of the first link if it listened.
async fn play(asked: &[Asked], sent: &Sent) -> (Vec<Result<Bytes, CallError>>, Option<Heard>) {
    let net = Net::default();
    let listener = net.listen(&address(2));
    let node = Node::with(&net, LinkOptions { max_request: sent.answer_max(), ..guarded(1) });
    let to = address(2);
    let call = |call: &Asked| node.call_within(&to, call.topic, call.request.clone(), SECOND);
    let (mut kept, mut given_up) = (Vec::new(), Vec::new());
    for asked in asked {
        let calls = if asked.given_up { &mut given_up } else { &mut kept };
        calls.push(call(asked));
    }
    let kept = go(kept);
    let mut wires = met_at(&listener).await;
    if sent.stuck {
        node.machine.sleep(ms(1)).await;
    } else {
        for _ in asked {
            wires.reader.next().await.expect("it asks");
        }
    }
    drop(given_up);
    for portion in sent.bytes.chunks(sent.portion) {
        if wires.writer.write_all(portion).await.is_err() {
            break;
        }
    }
    let heard = match sent.stuck {
        true => None,
        false => Some(hear(&node, &mut wires).await),
    };
    drop(wires);
    let wires = met_at(&listener).await;
    let again = node.call_within(&to, Topic::Raft, "again", SECOND);
    let ends = async { tokio::join!(kept, again) };
    let (ends, again) = tokio::select! {
        ends = ends => ends,
        () = echo(asked, wires) => unreachable!("it never ends"),
    };
    assert_eq!(again, Ok("again".into()));
    let stats = node.links.stats();
    assert_eq!((stats[0].waiting, stats[0].unanswered), (0, 0), "{stats:?}");
    node.kill().await;
    (ends, heard)
}

/// Whatever a peer sends that this node has dialled: an answer reaches the request that it is for and
/// no other, once. The link goes on, or ends and both sides know why, and the next one is as good as
/// any. Nothing is reserved for a length that is only claimed.
#[test]
fn an_answer_reaches_the_request_that_it_is_for_and_no_other() {
    let runtime = runtime();
    let _within = runtime.enter();
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (stuck, portion) = (choices.byte() % 4 == 1, 1 + choices.below(400));
        let (changes, mends) = (choices.byte() % 4 == 1, choices.flip());
        let changed_by = choices.bytes(32);
        let asked = asked(&mut choices, stuck);
        let mut bytes = sent(&mut choices, &asked);
        if changes {
            Choices::new(changed_by).change(&mut bytes);
        }
        if mends {
            write_checksums(&mut bytes);
        }
        let (came, tail) = frames(&bytes, &[]);
        let broken = (!tail.starts_with("the stream ended")).then_some(MUST_NOT);
        let sent = Sent { bytes, portion, stuck };
        let (answered, end) = expected(&asked, &came, sent.answer_max(), broken);
        let ((ends, heard), took) = allocated(|| runtime.block_on(play(&asked, &sent)));
        let kept = zip(1.., &asked).filter(|(_, call)| !call.given_up);
        for ((number, call), came) in zip(kept, ends) {
            match (answered.get(&number), came) {
                (Some(answer), came) => assert_eq!(*answer, came, "number {number}"),
                (None, Err(CallError::Lost(why))) if call.begun => {
                    assert!(why.starts_with(end.unwrap_or("the stream")), "{why}, not {end:?}");
                }
                (None, came) => {
                    assert!(!call.begun, "number {number}: {came:?}");
                    assert_eq!(came, Ok(call.request.clone()), "number {number}");
                }
            }
        }
        let ended = match end {
            None => Heard::GoesOn,
            Some(MUST_NOT) => Heard::Refused,
            Some(_) => Heard::Ended,
        };
        assert!(heard.is_none_or(|heard| heard == ended), "not {ended:?}");
        assert!(took.largest <= READER_BYTES && took.total <= ALL_BYTES, "{took:?}");
    });
}
