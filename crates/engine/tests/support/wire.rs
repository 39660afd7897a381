//! The layout of an entry once more, for `prost` to read and write: what the engine writes by hand
//! must be the protobuf that it says it is.

use std::sync::Arc;

use bytes::Bytes;
use catga_core::AttemptId;
use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {
    #[prost(uint32, tag = "1")]
    pub(crate) engine: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) elapsed_ms: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) wall_ms: u64,
    #[prost(message, repeated, tag = "4")]
    pub(crate) effects: Vec<Effect>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Effect {
    #[prost(uint64, tag = "1")]
    pub(crate) session: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) sequence: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) term: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) attempt: u64,
    /// The attempt's message where it is not the effect's own.
    #[prost(message, optional, tag = "5")]
    pub(crate) attempt_message: Option<MessageId>,
    #[prost(message, optional, tag = "6")]
    pub(crate) key: Option<OutsideKey>,
    #[prost(fixed64, tag = "7")]
    pub(crate) payload_hash: u64,
    #[prost(uint64, tag = "8")]
    pub(crate) at_ms: u64,
    #[prost(uint64, tag = "9")]
    pub(crate) low_water: u64,
    #[prost(uint64, repeated, tag = "10")]
    pub(crate) kept: Vec<u64>,
    #[prost(message, optional, tag = "11")]
    pub(crate) answer: Option<Answer>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) events: Vec<Event>,
    #[prost(message, repeated, tag = "13")]
    pub(crate) records: Vec<Record>,
    #[prost(message, repeated, tag = "14")]
    pub(crate) conditions: Vec<Condition>,
    #[prost(message, optional, tag = "15")]
    pub(crate) directive: Option<Directive>,
    #[prost(message, optional, tag = "16")]
    pub(crate) trail: Option<Trail>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct MessageId {
    #[prost(uint64, tag = "1")]
    pub(crate) session: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) sequence: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OutsideKey {
    #[prost(string, tag = "1")]
    pub(crate) scope: String,
    #[prost(string, tag = "2")]
    pub(crate) key: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Answer {
    #[prost(oneof = "AnswerKind", tags = "1, 2")]
    pub(crate) kind: Option<AnswerKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum AnswerKind {
    #[prost(bytes = "bytes", tag = "1")]
    Reply(Bytes),
    #[prost(bytes = "bytes", tag = "2")]
    Refusal(Bytes),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Event {
    #[prost(string, tag = "1")]
    pub(crate) stream: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(uint32, tag = "3")]
    pub(crate) schema: u32,
    #[prost(string, repeated, tag = "4")]
    pub(crate) tags: Vec<String>,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) payload: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Record {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) value: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Condition {
    #[prost(oneof = "ConditionKind", tags = "1, 2, 3, 4, 5")]
    pub(crate) kind: Option<ConditionKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum ConditionKind {
    #[prost(message, tag = "1")]
    StreamAt(StreamAt),
    #[prost(string, tag = "2")]
    StreamAbsent(String),
    #[prost(message, tag = "3")]
    RecordAt(RecordAt),
    #[prost(message, tag = "4")]
    TagQuiet(TagQuiet),
    #[prost(message, tag = "5")]
    WrittenBy(WrittenBy),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StreamAt {
    #[prost(string, tag = "1")]
    pub(crate) stream: String,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) version: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RecordAt {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) offset: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TagQuiet {
    #[prost(string, tag = "1")]
    pub(crate) tag: String,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) after: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WrittenBy {
    #[prost(string, tag = "1")]
    pub(crate) stream: String,
    #[prost(uint64, tag = "2")]
    pub(crate) session: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) sequence: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) term: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) attempt: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Directive {
    #[prost(oneof = "DirectiveKind", tags = "1, 2, 3")]
    pub(crate) kind: Option<DirectiveKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum DirectiveKind {
    #[prost(message, tag = "1")]
    OpenSession(OpenSession),
    #[prost(uint32, tag = "2")]
    RaiseEngine(u32),
    #[prost(message, tag = "3")]
    CloseSession(CloseSession),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CloseSession {
    #[prost(string, tag = "1")]
    pub(crate) node: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OpenSession {
    #[prost(string, tag = "1")]
    pub(crate) node: String,
    #[prost(uint64, tag = "2")]
    pub(crate) nonce: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Trail {
    #[prost(string, optional, tag = "1")]
    pub(crate) correlation: Option<String>,
    #[prost(message, optional, tag = "2")]
    pub(crate) causation: Option<MessageId>,
    #[prost(string, optional, tag = "3")]
    pub(crate) principal: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) tenant: Option<String>,
    #[prost(message, optional, tag = "5")]
    pub(crate) trace: Option<Trace>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Trace {
    #[prost(fixed64, tag = "1")]
    pub(crate) trace_id_high: u64,
    #[prost(fixed64, tag = "2")]
    pub(crate) trace_id_low: u64,
    #[prost(fixed64, tag = "3")]
    pub(crate) span_id: u64,
    #[prost(uint32, tag = "4")]
    pub(crate) flags: u32,
}

impl From<&catga_engine::Entry> for Entry {
    fn from(entry: &catga_engine::Entry) -> Self {
        Self {
            engine: entry.engine,
            elapsed_ms: entry.elapsed_ms,
            wall_ms: entry.wall.as_millis(),
            effects: entry.effects.iter().map(Effect::from).collect(),
        }
    }
}

impl From<&catga_engine::Effect> for Effect {
    fn from(effect: &catga_engine::Effect) -> Self {
        let AttemptId { message, term, sequence } = effect.attempt;
        Self {
            session: effect.id.session.0,
            sequence: effect.id.sequence,
            term,
            attempt: sequence,
            attempt_message: (message != effect.id).then(|| message.into()),
            key: effect
                .key
                .as_ref()
                .map(|key| OutsideKey { scope: key.scope.clone(), key: key.key.clone() }),
            payload_hash: effect.payload_hash,
            at_ms: effect.at.as_millis(),
            low_water: effect.low_water,
            kept: effect.kept.clone(),
            answer: answer(&effect.answer),
            events: effect.events.iter().map(event).collect(),
            records: effect.records.iter().map(record).collect(),
            conditions: effect.conditions.iter().map(condition).collect(),
            directive: effect.directive.as_ref().map(directive),
            trail: (effect.trail != catga_engine::Trail::default()).then(|| trail(&effect.trail)),
        }
    }
}

impl From<catga_core::MessageId> for MessageId {
    fn from(id: catga_core::MessageId) -> Self {
        Self { session: id.session.0, sequence: id.sequence }
    }
}

fn answer(answer: &catga_engine::RecordedAnswer) -> Option<Answer> {
    use catga_engine::RecordedAnswer;
    let kind = match answer {
        RecordedAnswer::None => return None,
        RecordedAnswer::Reply(bytes) => AnswerKind::Reply(bytes.clone()),
        RecordedAnswer::Refusal(bytes) => AnswerKind::Refusal(bytes.clone()),
    };
    Some(Answer { kind: Some(kind) })
}

fn event(event: &catga_core::NewEvent) -> Event {
    Event {
        stream: event.stream.to_string(),
        name: event.name.to_string(),
        schema: event.schema,
        tags: event.tags.iter().map(ToString::to_string).collect(),
        payload: event.payload.clone(),
    }
}

fn record(write: &catga_engine::RecordWrite) -> Record {
    Record { key: write.key.to_string(), value: write.value.clone() }
}

fn condition(condition: &catga_core::Condition) -> Condition {
    use catga_core::Condition::{RecordAt, StreamAbsent, StreamAt, TagQuiet, WrittenBy};
    let kind = match condition {
        StreamAt { stream, version } => {
            let (stream, version) = (stream.to_string(), Some(*version));
            ConditionKind::StreamAt(self::StreamAt { stream, version })
        }
        StreamAbsent { stream } => ConditionKind::StreamAbsent(stream.to_string()),
        RecordAt { key, offset } => {
            let (key, offset) = (key.to_string(), offset.map(|offset| offset.0));
            ConditionKind::RecordAt(self::RecordAt { key, offset })
        }
        TagQuiet { tag, after } => {
            let (tag, after) = (tag.to_string(), Some(after.0));
            ConditionKind::TagQuiet(self::TagQuiet { tag, after })
        }
        WrittenBy { stream, attempt } => ConditionKind::WrittenBy(self::WrittenBy {
            stream: stream.to_string(),
            session: attempt.message.session.0,
            sequence: attempt.message.sequence,
            term: attempt.term,
            attempt: attempt.sequence,
        }),
        _ => unreachable!("the tests write no other condition"),
    };
    Condition { kind: Some(kind) }
}

fn directive(directive: &catga_engine::Directive) -> Directive {
    use catga_engine::Directive::{CloseSession, OpenSession, RaiseEngine};
    let kind = match directive {
        OpenSession { node, nonce } => {
            let (node, nonce) = (node.clone(), *nonce);
            DirectiveKind::OpenSession(self::OpenSession { node, nonce })
        }
        RaiseEngine { to } => DirectiveKind::RaiseEngine(*to),
        CloseSession { node } => {
            DirectiveKind::CloseSession(self::CloseSession { node: node.clone() })
        }
    };
    Directive { kind: Some(kind) }
}

fn trail(trail: &catga_engine::Trail) -> Trail {
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    Trail {
        correlation: text(&trail.correlation),
        causation: trail.causation.map(Into::into),
        principal: text(&trail.principal),
        tenant: text(&trail.tenant),
        trace: trail.trace.map(|trace| Trace {
            trace_id_high: (trace.trace_id >> 64) as u64,
            trace_id_low: trace.trace_id as u64,
            span_id: trace.span_id,
            flags: u32::from(trace.flags),
        }),
    }
}
