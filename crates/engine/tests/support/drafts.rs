//! Random entries. A draft says where an effect stands relative to what has been applied (the
//! session that its node has now, a sequence near the mark, a condition that holds or just does
//! not), because numbers drawn blindly would nearly always be rejected.

use bytes::Bytes;
use catga_core::{AttemptId, Condition, NewEvent, Offset, SessionId, TraceContext};
use catga_engine::{
    Directive, Effect, Entry, Limits, OutsideKey, RecordWrite, RecordedAnswer, Trail,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::naive::Naive;
use super::{id, stream, tag, wall};

pub(crate) const NODES: [&str; 3] = ["a", "b", "c"];
pub(crate) const NAMES: [&str; 3] = ["x", "y", "z"];
pub(crate) const KEYS: [&str; 4] = ["k0", "k1", "k2", "k3"];

#[derive(Clone, Debug)]
pub(crate) struct Step {
    engine: u32,
    elapsed_ms: u64,
    wall_ms: u64,
    effects: Vec<Draft>,
    /// Whether the engine is checkpointed and restored after it.
    pub(crate) restored: bool,
}

#[derive(Clone, Debug)]
struct Draft {
    who: Who,
    /// Above the session's mark, less 4.
    ahead: u64,
    term: u64,
    attempt: u64,
    key: Option<usize>,
    payload_hash: u64,
    /// How far it raises the mark.
    raise: u64,
    /// Which of the sequences near the mark it keeps, above the mark less 1.
    kept: Vec<u64>,
    events: Vec<(usize, Vec<usize>)>,
    records: Vec<(usize, Option<u8>)>,
    conditions: Vec<(Kind, usize, u64)>,
    refused: bool,
}

#[derive(Clone, Debug)]
enum Who {
    /// A command of the node's open session.
    Node(usize),
    /// A command of whatever this is.
    Session(u64),
    /// A start of the node; wrongly numbered if the last says so.
    Start(usize, u64, bool),
    /// A command of the node that raises the engine.
    Raise(usize, u32),
    /// A node, and the one whose session is closed.
    Close(usize, usize),
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    StreamAt,
    StreamAbsent,
    RecordAt,
    TagQuiet,
    WrittenBy,
}

pub(crate) fn limits() -> impl Strategy<Value = Limits> {
    (0..60u64, prop_oneof![0..60u64, Just(1000)], 0..4usize).prop_map(
        |(key_retention_ms, kept_retention_ms, kept)| Limits {
            key_retention_ms,
            kept_retention_ms,
            kept,
        },
    )
}

pub(crate) fn steps(max: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..max).prop_map(|mut steps| {
        // Every node starts once at the beginning, or most of the rest would be expired.
        let starts = (0..NODES.len())
            .map(|node| Draft { who: Who::Start(node, 0, false), ..Draft::plain() });
        steps[0].effects.splice(0..0, starts);
        steps
    })
}

fn step() -> impl Strategy<Value = Step> {
    let elapsed = prop_oneof![6 => 0..8u64, 2 => 8..80u64, 1 => Just(u64::MAX / 4)];
    (0..3u32, elapsed, 0..50u64, vec(draft(), 0..5), prop::bool::weighted(0.3)).prop_map(
        |(engine, elapsed_ms, wall_ms, effects, restored)| Step {
            engine,
            elapsed_ms,
            wall_ms,
            effects,
            restored,
        },
    )
}

impl Draft {
    fn plain() -> Self {
        Self {
            who: Who::Session(0),
            ahead: 4,
            term: 1,
            attempt: 1,
            key: None,
            payload_hash: 0,
            raise: 0,
            kept: Vec::new(),
            events: Vec::new(),
            records: Vec::new(),
            conditions: Vec::new(),
            refused: false,
        }
    }
}

fn draft() -> impl Strategy<Value = Draft> {
    let who = prop_oneof![
        40 => (0..3usize).prop_map(Who::Node),
        2 => (0..12u64).prop_map(Who::Session),
        2 => (0..3usize, 0..4u64, prop::bool::weighted(0.1))
            .prop_map(|(node, nonce, wrong)| Who::Start(node, nonce, wrong)),
        1 => (0..3usize, 0..4u32).prop_map(|(node, to)| Who::Raise(node, to)),
        1 => (0..3usize, 0..3usize).prop_map(|(node, of)| Who::Close(node, of)),
    ];
    let identity = (who, 0..9u64, 1..3u64, 1..3u64, option::weighted(0.3, 0..4usize));
    let settled = prop_oneof![3 => Just(0u64), 2 => 1..5u64];
    let memory = (prop::bool::weighted(0.1), settled, vec(0..6u64, 0..4));
    let content = (
        vec((0..3usize, vec(0..3usize, 0..2)), 0..3),
        vec((0..3usize, option::of(0..4u8)), 0..2),
        vec((kind(), 0..3usize, 0..5u64), 0..2),
        any::<bool>(),
    );
    (identity, memory, content).prop_map(|(identity, memory, content)| {
        let (who, ahead, term, attempt, key) = identity;
        let (other_payload, raise, kept) = memory;
        let (events, records, conditions, refused) = content;
        let payload_hash = u64::from(other_payload);
        Draft {
            who,
            ahead,
            term,
            attempt,
            key,
            payload_hash,
            raise,
            kept,
            events,
            records,
            conditions,
            refused,
        }
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::StreamAt),
        Just(Kind::StreamAbsent),
        Just(Kind::RecordAt),
        Just(Kind::TagQuiet),
        Just(Kind::WrittenBy),
    ]
}

impl Step {
    /// The entry that this step is after what `model` has applied.
    pub(crate) fn entry(&self, model: &Naive) -> Entry {
        Entry {
            engine: self.engine,
            elapsed_ms: self.elapsed_ms,
            wall: wall(self.wall_ms),
            effects: self.effects.iter().map(|draft| draft.effect(model)).collect(),
        }
    }
}

impl Draft {
    fn effect(&self, model: &Naive) -> Effect {
        let node = |node: usize| NODES[node].to_owned();
        let (session, directive) = match self.who {
            Who::Node(at) => (model.session_of(NODES[at]).unwrap_or(0), None),
            Who::Session(session) => (session, None),
            Who::Start(at, nonce, _) => (0, Some(Directive::OpenSession { node: node(at), nonce })),
            Who::Raise(at, to) => {
                let session = model.session_of(NODES[at]).unwrap_or(0);
                (session, Some(Directive::RaiseEngine { to }))
            }
            Who::Close(at, of) => {
                let session = model.session_of(NODES[at]).unwrap_or(0);
                (session, Some(Directive::CloseSession { node: node(of) }))
            }
        };
        let mark = model.mark(SessionId(session)).0;
        let sequence = match self.who {
            Who::Start(_, nonce, wrong) => nonce + u64::from(wrong),
            _ => (mark + self.ahead).saturating_sub(4),
        };
        let id = id(session, sequence);
        let offset = model.counted.len() as u64;
        Effect {
            key: self.key.map(outside_key),
            payload_hash: self.payload_hash,
            at: wall(self.attempt * 1000),
            low_water: mark + self.raise,
            kept: self.kept.iter().map(|kept| (mark + kept).saturating_sub(1)).collect(),
            answer: answer(self.refused, offset),
            events: self.events.iter().map(|(at, tags)| event(*at, tags)).collect(),
            records: self.records.iter().map(|(at, value)| record(*at, *value)).collect(),
            conditions: self.conditions.iter().map(|it| condition(*it, model)).collect(),
            directive,
            trail: trail(self.attempt, id.sequence),
            ..Effect::new(id, AttemptId { message: id, term: self.term, sequence: self.attempt })
        }
    }
}

pub(crate) fn outside_key(at: usize) -> OutsideKey {
    super::key(KEYS[at])
}

fn answer(refused: bool, number: u64) -> RecordedAnswer {
    match (refused, number % 3) {
        (_, 0) => RecordedAnswer::None,
        (false, _) => RecordedAnswer::Reply(Bytes::from(number.to_string())),
        (true, _) => RecordedAnswer::Refusal(Bytes::from_static(b"no")),
    }
}

fn event(at: usize, tags: &[usize]) -> NewEvent {
    let tags: Vec<_> = tags.iter().map(|tag| NAMES[*tag]).collect();
    super::event(NAMES[at], &tags)
}

fn record(at: usize, value: Option<u8>) -> RecordWrite {
    let value = value.map(|value| Bytes::from(vec![value; usize::from(value)]));
    RecordWrite { key: stream(NAMES[at]), value }
}

/// Holds for a `twist` of zero or one, if nothing before it in its entry says otherwise.
fn condition((kind, at, twist): (Kind, usize, u64), model: &Naive) -> Condition {
    let stream = stream(NAMES[at]);
    let twist = twist.saturating_sub(1);
    match kind {
        Kind::StreamAt => {
            let version = model.head(&stream).map_or(0, |head| head.0);
            Condition::StreamAt { stream, version: version + twist }
        }
        Kind::StreamAbsent => Condition::StreamAbsent { stream },
        Kind::RecordAt => {
            let offset = model.record(&stream).map(|record| Offset(record.0 + twist / 2));
            let offset = if twist == 1 { None } else { offset };
            Condition::RecordAt { key: stream, offset }
        }
        Kind::TagQuiet => {
            let tag = tag(NAMES[at]);
            let last = model.tag(&tag).unwrap_or(0);
            Condition::TagQuiet { tag, after: Offset(last.saturating_sub(twist)) }
        }
        Kind::WrittenBy => {
            let mut attempt = model.head(&stream).map(|head| head.2).unwrap_or_default();
            attempt.term += twist;
            Condition::WrittenBy { stream, attempt }
        }
    }
}

fn trail(attempt: u64, sequence: u64) -> Trail {
    if attempt == 1 {
        return Trail::default();
    }
    Trail {
        correlation: Some("correlation".into()),
        causation: (sequence > 2).then(|| id(1, sequence)),
        principal: (sequence > 3).then(|| "someone".into()),
        tenant: (sequence > 4).then(|| "".into()),
        trace: Some(TraceContext { trace_id: u128::MAX - 1, span_id: sequence, flags: 1 }),
    }
}
