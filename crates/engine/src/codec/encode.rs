use bytes::Bytes;
use catga_core::{AttemptId, Condition, MessageId, NewEvent, TraceContext};

use super::layout;
use super::message::MessageWriter;
use crate::{Directive, Effect, Entry, OutsideKey, RecordWrite, RecordedAnswer, Trail};

pub(crate) fn encode(entry: &Entry, before: Vec<u8>) -> Bytes {
    use layout::entry::*;
    let bytes = entry.effects.iter().map(about_bytes).sum::<usize>();
    let mut out = MessageWriter::after(before, 32 + bytes);
    out.number(ENGINE, u64::from(entry.engine));
    out.number(ELAPSED_MS, entry.elapsed_ms);
    out.number(WALL_MS, entry.wall.as_millis());
    for one in &entry.effects {
        out.nested(EFFECTS, |out| effect(one, out));
    }
    out.into_bytes().into()
}

/// About as many bytes as the effect takes, and rarely fewer, so that writing it seldom grows the
/// buffer.
fn about_bytes(effect: &Effect) -> usize {
    let answer = match &effect.answer {
        RecordedAnswer::None => 0,
        RecordedAnswer::Reply(bytes) | RecordedAnswer::Refusal(bytes) => bytes.len(),
    };
    let events = effect.events.iter().map(|event| {
        let names = event.stream.as_str().len() + event.name.len() + 48 * event.tags.len();
        24 + names + event.payload.len()
    });
    let records = effect
        .records
        .iter()
        .map(|write| 16 + write.key.as_str().len() + write.value.as_ref().map_or(0, Bytes::len));
    let lists = 72 * effect.conditions.len() + 6 * effect.kept.len();
    let rest = if effect.trail == Trail::default() { 64 } else { 256 };
    answer + events.sum::<usize>() + records.sum::<usize>() + lists + rest
}

fn effect(effect: &Effect, out: &mut MessageWriter) {
    use layout::effect::*;
    out.number(SESSION, effect.id.session.0);
    out.number(SEQUENCE, effect.id.sequence);
    out.number(TERM, effect.attempt.term);
    out.number(ATTEMPT, effect.attempt.sequence);
    if effect.attempt.message != effect.id {
        out.nested(ATTEMPT_MESSAGE, |out| message_id(effect.attempt.message, out));
    }
    if let Some(key) = &effect.key {
        out.nested(KEY, |out| outside_key(key, out));
    }
    out.fixed(PAYLOAD_HASH, effect.payload_hash);
    out.number(AT_MS, effect.at.as_millis());
    out.number(LOW_WATER, effect.low_water);
    out.packed(KEPT, &effect.kept);
    match &effect.answer {
        RecordedAnswer::None => {}
        RecordedAnswer::Reply(bytes) => {
            out.nested(ANSWER, |out| out.bytes(layout::answer::REPLY, bytes));
        }
        RecordedAnswer::Refusal(bytes) => {
            out.nested(ANSWER, |out| out.bytes(layout::answer::REFUSAL, bytes));
        }
    }
    for one in &effect.events {
        out.nested(EVENTS, |out| event(one, out));
    }
    for one in &effect.records {
        out.nested(RECORDS, |out| record(one, out));
    }
    for one in &effect.conditions {
        out.nested(CONDITIONS, |out| condition(one, out));
    }
    if let Some(one) = &effect.directive {
        out.nested(DIRECTIVE, |out| directive(one, out));
    }
    if effect.trail != Trail::default() {
        out.nested(TRAIL, |out| trail(&effect.trail, out));
    }
}

fn message_id(id: MessageId, out: &mut MessageWriter) {
    use layout::message_id::*;
    out.number(SESSION, id.session.0);
    out.number(SEQUENCE, id.sequence);
}

fn outside_key(key: &OutsideKey, out: &mut MessageWriter) {
    use layout::outside_key::*;
    out.bytes(SCOPE, key.scope.as_bytes());
    out.bytes(KEY, key.key.as_bytes());
}

fn event(event: &NewEvent, out: &mut MessageWriter) {
    use layout::event::*;
    out.bytes(STREAM, event.stream.as_str().as_bytes());
    out.bytes(NAME, event.name.as_bytes());
    out.number(SCHEMA, u64::from(event.schema));
    for tag in &event.tags {
        out.bytes(TAGS, tag.as_str().as_bytes());
    }
    out.bytes(PAYLOAD, &event.payload);
}

fn record(write: &RecordWrite, out: &mut MessageWriter) {
    use layout::record::*;
    out.bytes(KEY, write.key.as_str().as_bytes());
    if let Some(value) = &write.value {
        out.bytes(VALUE, value);
    }
}

fn condition(condition: &Condition, out: &mut MessageWriter) {
    use layout::condition::*;
    match condition {
        Condition::StreamAt { stream, version } => {
            out.nested(STREAM_AT, |out| expected(stream.as_str(), Some(*version), out));
        }
        Condition::StreamAbsent { stream } => out.bytes(STREAM_ABSENT, stream.as_str().as_bytes()),
        Condition::RecordAt { key, offset } => {
            let offset = offset.map(|offset| offset.0);
            out.nested(RECORD_AT, |out| expected(key.as_str(), offset, out));
        }
        Condition::TagQuiet { tag, after } => {
            out.nested(TAG_QUIET, |out| expected(tag.as_str(), Some(after.0), out));
        }
        Condition::WrittenBy { stream, attempt } => {
            out.nested(WRITTEN_BY, |out| written_by(stream.as_str(), *attempt, out));
        }
        // A condition that this build cannot write stays empty, and is refused by the reader,
        // where there is an error to give.
        _ => {}
    }
}

fn expected(name: &str, number: Option<u64>, out: &mut MessageWriter) {
    use layout::expected::*;
    out.bytes(NAME, name.as_bytes());
    if let Some(number) = number {
        out.present(NUMBER, number);
    }
}

fn written_by(stream: &str, attempt: AttemptId, out: &mut MessageWriter) {
    use layout::written_by::*;
    out.bytes(STREAM, stream.as_bytes());
    out.number(SESSION, attempt.message.session.0);
    out.number(SEQUENCE, attempt.message.sequence);
    out.number(TERM, attempt.term);
    out.number(ATTEMPT, attempt.sequence);
}

fn directive(directive: &Directive, out: &mut MessageWriter) {
    use layout::{close_session, directive::*, open_session};
    match directive {
        Directive::OpenSession { node, nonce } => out.nested(OPEN_SESSION, |out| {
            out.bytes(open_session::NODE, node.as_bytes());
            out.number(open_session::NONCE, *nonce);
        }),
        Directive::RaiseEngine { to } => out.present(RAISE_ENGINE, u64::from(*to)),
        Directive::CloseSession { node } => out.nested(CLOSE_SESSION, |out| {
            out.bytes(close_session::NODE, node.as_bytes());
        }),
    }
}

fn trail(trail: &Trail, out: &mut MessageWriter) {
    use layout::trail::*;
    let texts =
        [(CORRELATION, &trail.correlation), (PRINCIPAL, &trail.principal), (TENANT, &trail.tenant)];
    for (field, text) in texts {
        if let Some(text) = text {
            out.bytes(field, text.as_bytes());
        }
    }
    if let Some(id) = trail.causation {
        out.nested(CAUSATION, |out| message_id(id, out));
    }
    if let Some(context) = trail.trace {
        out.nested(TRACE, |out| trace(context, out));
    }
}

fn trace(trace: TraceContext, out: &mut MessageWriter) {
    use layout::trace::*;
    out.fixed(TRACE_ID_HIGH, (trace.trace_id >> 64) as u64);
    out.fixed(TRACE_ID_LOW, trace.trace_id as u64);
    out.fixed(SPAN_ID, trace.span_id);
    out.number(FLAGS, u64::from(trace.flags));
}
