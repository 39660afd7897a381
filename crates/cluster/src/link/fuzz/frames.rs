use bytes::{Bytes, BytesMut};
use catga_fuzz::{Choices, allocated};
use futures_util::FutureExt;

use super::super::assembly::{Assembly, Whole};
use super::super::batch::Batch;
use super::super::frame::{Frame, HEADER_BYTES, Header, Kind};
use super::super::lane::{LANES, Lane};
use super::super::pieces::Pieces;
use super::super::reader::FrameReader;
use super::portions::Portions;
use crate::Topic;

const ITERATIONS: usize = 4_000;
const BYTES: usize = 2048;

/// The longest message that is taken here.
const MESSAGE_MAX: usize = 400;

/// What the reader reserves, whatever comes: room for the next read behind a frame.
pub(super) const READER_BYTES: usize = 192 << 10;

pub(super) const TOPICS: [Topic; 7] = [
    Topic::Raft,
    Topic::Append,
    Topic::Succession,
    Topic::Log,
    Topic::Snapshot,
    Topic::Membership,
    Topic::Application,
];

const KINDS: [Kind; 3] = [Kind::Request, Kind::Answer, Kind::Failure];

/// A message that is being sent.
struct Sending {
    topic: Topic,
    kind: Kind,
    doubt: bool,
    number: u64,
    pieces: Pieces,
    whole: Vec<u8>,
}

fn message(choices: &mut Choices<'_>, kinds: &[Kind], number: u64) -> Sending {
    let topic = *choices.one_of(&TOPICS);
    let kind = *choices.one_of(kinds);
    let doubt = choices.flip();
    let parts: Vec<Bytes> =
        (0..choices.below(4)).map(|_| choices.bytes(99).to_vec().into()).collect();
    let whole = parts.concat();
    Sending { topic, kind, doubt, number, pieces: parts.into(), whole }
}

/// Messages of some `kinds` as frames, as a peer may send them: those of different lanes among each other.
pub(super) fn sent(choices: &mut Choices<'_>, kinds: &[Kind]) -> (Batch<()>, Vec<Whole>) {
    let (mut batch, mut messages) = (Batch::new(), Vec::new());
    let mut lanes: [Option<Sending>; LANES] = [None, None, None];
    for number in 1.. {
        let over = choices.is_over() || number > 60;
        if over && lanes.iter().all(Option::is_none) {
            break;
        }
        if !over {
            let new = message(choices, kinds, number);
            let lane = &mut lanes[Lane::of(new.topic).index()];
            if lane.is_none() {
                *lane = Some(new);
            }
        }
        let first = choices.below(LANES);
        let lane = (0..LANES).map(|lane| (first + lane) % LANES).find(|at| lanes[*at].is_some());
        let Some(lane) = lane else { continue };
        let sending = lanes[lane].as_mut().expect("it was found");
        let mut taken = Vec::new();
        sending.pieces.take(1 + choices.below(99), &mut taken);
        let last = sending.pieces.bytes() == 0;
        let Sending { topic, kind, doubt, number, .. } = *sending;
        let header = Header { kind, topic: Some(topic), last, doubt, number };
        batch.push(&header, taken);
        if let (true, Some(Sending { whole, .. })) = (last, lanes[lane].take_if(|_| last)) {
            messages.push(Whole { header, topic, payload: whole.into() });
        }
    }
    (batch, messages)
}

pub(super) fn written(mut batch: Batch<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let write = batch.write(&mut bytes, |_| ()).now_or_never();
    write.expect("a vector takes all at once").expect("and refuses nothing");
    bytes
}

/// The frames that are read of `bytes` in portions of such `lengths`, and why no more came.
pub(super) fn frames(bytes: &[u8], lengths: &[u8]) -> (Vec<Frame>, String) {
    let mut reader = FrameReader::new(Portions::new(bytes, lengths), BytesMut::new());
    let mut frames = Vec::new();
    loop {
        match reader.next().now_or_never().expect("there is always something to read") {
            Ok(frame) => frames.push(frame),
            Err(error) => return (frames, error.to_string()),
        }
    }
}

/// The messages that frames make, and what broke them off.
fn messages(frames: &[Frame]) -> (Vec<Whole>, Option<String>) {
    let mut assembly = Assembly::new(MESSAGE_MAX);
    let mut messages = Vec::new();
    for frame in frames {
        match assembly.add(frame.clone()) {
            Ok(whole) => messages.extend(whole),
            Err(why) => return (messages, Some(why)),
        }
    }
    (messages, None)
}

/// Lets most frames pass whose bytes were changed.
pub(super) fn write_checksums(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(frame) = bytes.get_mut(at..).filter(|left| left.len() >= HEADER_BYTES) {
        let length = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
        let Some(whole) = frame.get_mut(..HEADER_BYTES.saturating_add(length)) else { return };
        let checksum = crc32c::crc32c(&whole[..HEADER_BYTES - 4]);
        let checksum = crc32c::crc32c_append(checksum, &whole[HEADER_BYTES..]);
        whole[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
        at += whole.len();
    }
}

#[test]
fn messages_arrive_as_they_were_sent_in_whatever_portions() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let lengths = choices.bytes(8);
        let (batch, expected) = sent(&mut choices, &KINDS);
        let (frames, end) = frames(&written(batch), lengths);
        assert_eq!(end, "the stream ended");
        let (messages, broken) = messages(&frames);
        assert_eq!((messages, broken), (expected, None));
    });
}

#[test]
fn what_was_changed_on_its_way_makes_no_other_frames() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (mends, lengths) = (choices.flip(), choices.bytes(8));
        let mut bytes = match choices.flip() {
            true => choices.bytes(BYTES).to_vec(),
            false => written(sent(&mut choices.clone(), &KINDS).0),
        };
        choices.change(&mut bytes);
        if mends {
            write_checksums(&mut bytes);
        }
        let ((read, end), took) = allocated(|| frames(&bytes, lengths));
        assert!(took.largest <= READER_BYTES, "{took:?} for {} bytes", bytes.len());
        assert_eq!((&read, &end), (&frames(&bytes, &[]).0, &frames(&bytes, &[]).1));
        // What is taken for a frame is one, with its checksum, byte by byte.
        let mut at = 0;
        for Frame { header, payload } in &read {
            let encoded = header.encode(std::slice::from_ref(payload));
            let whole = [&encoded[..], payload].concat();
            assert_eq!(whole, bytes[at..at + whole.len()]);
            at += whole.len();
        }
        assert!(at == bytes.len() || end != "the stream ended", "{end}");
        let _ = messages(&read);
    });
}
