//! What the engine's tests share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod drafts;
pub(crate) mod naive;
pub(crate) mod wire;

use bytes::Bytes;
use catga_core::{
    AttemptId, Condition, MessageId, NewEvent, Offset, SessionId, StreamName, Tag, Timestamp,
};
use catga_engine::{
    Applied, Directive, Effect, Engine, Entry, Limits, MemoryState, OutsideKey, RecordWrite,
    Rejection, Verdict,
};

/// An engine with what its last entry gave.
pub(crate) struct Bench {
    pub(crate) engine: Engine<MemoryState>,
    pub(crate) out: Applied,
}

impl Bench {
    pub(crate) fn new(limits: Limits) -> Self {
        let engine = Engine::new(MemoryState::new(), limits);
        Self { engine, out: Applied::default() }
    }

    /// With the session 1 of the node `a` opened.
    pub(crate) fn open(limits: Limits) -> Self {
        let mut bench = Self::new(limits);
        assert_eq!(bench.one(opening("a", 1)), counted(1));
        bench
    }

    pub(crate) fn entry(&mut self, entry: &Entry) -> &[Verdict] {
        let raw = entry.encode();
        self.engine.apply(entry, &raw, &mut self.out).expect("an entry of this engine version");
        &self.out.verdicts
    }

    pub(crate) fn all(&mut self, effects: Vec<Effect>) -> &[Verdict] {
        self.entry(&Entry { engine: 1, effects, ..Entry::default() })
    }

    pub(crate) fn one(&mut self, effect: Effect) -> Verdict {
        self.all(vec![effect])[0]
    }

    /// Lets journal time pass.
    pub(crate) fn pass(&mut self, elapsed_ms: u64) {
        self.entry(&Entry { engine: 1, elapsed_ms, ..Entry::default() });
    }
}

pub(crate) fn id(session: u64, sequence: u64) -> MessageId {
    MessageId::new(SessionId(session), sequence)
}

pub(crate) fn attempt(id: MessageId, term: u64) -> AttemptId {
    AttemptId { message: id, term, sequence: 1 }
}

/// The effect of session 1 with the sequence and the payload hash zero.
pub(crate) fn effect(sequence: u64) -> Effect {
    of(1, sequence)
}

pub(crate) fn of(session: u64, sequence: u64) -> Effect {
    let id = id(session, sequence);
    Effect::new(id, attempt(id, 1))
}

pub(crate) fn opening(node: &str, nonce: u64) -> Effect {
    let directive = Directive::OpenSession { node: node.to_owned(), nonce };
    Effect { directive: Some(directive), ..of(0, nonce) }
}

pub(crate) fn keyed(sequence: u64, name: &str) -> Effect {
    Effect { key: Some(key(name)), ..effect(sequence) }
}

pub(crate) fn key(name: &str) -> OutsideKey {
    OutsideKey { scope: "everyone order.create".to_owned(), key: name.to_owned() }
}

pub(crate) fn stream(name: &str) -> StreamName {
    StreamName::new("order", name)
}

pub(crate) fn tag(name: &str) -> Tag {
    Tag::new("customer", name)
}

pub(crate) fn event(name: &str, tags: &[&str]) -> NewEvent {
    NewEvent {
        stream: stream(name),
        name: "order.created".into(),
        schema: 1,
        tags: tags.iter().map(|name| tag(name)).collect(),
        payload: Bytes::from_static(b"{}"),
    }
}

pub(crate) fn write(name: &str, value: Option<&'static str>) -> RecordWrite {
    let value = value.map(|value| Bytes::from_static(value.as_bytes()));
    RecordWrite { key: stream(name), value }
}

pub(crate) fn under(sequence: u64, condition: Condition) -> Effect {
    Effect { conditions: vec![condition], ..effect(sequence) }
}

pub(crate) const fn counted(offset: u64) -> Verdict {
    Verdict::Counted { offset: Offset(offset) }
}

pub(crate) const fn duplicate(of: u64) -> Verdict {
    Verdict::Duplicate { of: Offset(of) }
}

pub(crate) const fn conflict(condition: u32, at: u64) -> Verdict {
    Verdict::Conflict { condition, at: Offset(at) }
}

pub(crate) const EXPIRED: Verdict = Verdict::Rejected(Rejection::Expired);
pub(crate) const MISMATCH: Verdict = Verdict::Rejected(Rejection::PayloadMismatch);
pub(crate) const VERSION: Verdict = Verdict::Rejected(Rejection::EngineVersion);

pub(crate) fn wall(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}
