//! Effects made by hand.

use bytes::Bytes;
use catga_core::{
    AttemptId, Condition, MessageId, NewEvent, Offset, SessionId, StreamName, Timestamp,
};
use catga_engine::{Directive, Effect, RecordWrite, RecordedAnswer, Verdict};

use super::Violation;
use crate::{Committed, Journal};

/// Opens a session, by which ids are known.
pub(crate) async fn open_session(
    journal: &dyn Journal,
    nonce: u64,
) -> Result<SessionId, Violation> {
    let id = MessageId::new(SessionId(0), nonce);
    let mut effect = Effect::new(id, attempt(id, 1));
    effect.directive = Some(Directive::OpenSession { node: "conformance".to_owned(), nonce });
    let committed = journal.commit(effect).await;
    let committed = committed.map_err(|fault| Violation::new(1, fault))?;
    Ok(SessionId(counted(&committed)?.0))
}

pub(crate) fn attempt(message: MessageId, sequence: u64) -> AttemptId {
    AttemptId { message, term: 1, sequence }
}

/// An effect with one event in `stream`, whatever else was appended to it.
pub(crate) fn append(session: SessionId, sequence: u64, stream: &str) -> Effect {
    let id = MessageId::new(session, sequence);
    let mut effect = Effect::new(id, attempt(id, 1));
    effect.payload_hash = sequence;
    effect.at = Timestamp::from_millis(sequence);
    effect.answer = RecordedAnswer::Reply(Bytes::from(format!("reply {sequence}")));
    effect.events.push(event(stream, sequence));
    effect
}

/// An effect with one event in `stream`, which must not exist yet.
pub(crate) fn create(session: SessionId, sequence: u64, stream: &str) -> Effect {
    let mut effect = append(session, sequence, stream);
    effect.conditions.push(Condition::StreamAbsent { stream: StreamName::from_stored(stream) });
    effect
}

/// An effect without events that writes a record, or deletes it.
pub(crate) fn write(
    session: SessionId,
    sequence: u64,
    key: &str,
    value: Option<&'static str>,
) -> Effect {
    let mut effect = append(session, sequence, "");
    effect.events.clear();
    let key = StreamName::from_stored(key);
    effect.records.push(RecordWrite { key, value: value.map(Bytes::from) });
    effect
}

pub(crate) fn event(stream: &str, number: u64) -> NewEvent {
    NewEvent {
        stream: StreamName::from_stored(stream),
        name: ["thing.made", "thing.moved"][number as usize % 2].into(),
        schema: 1,
        tags: Vec::new(),
        payload: Bytes::from(format!("event {number}")),
    }
}

/// The offset of an effect that must count.
pub(crate) fn counted(committed: &Committed) -> Result<Offset, Violation> {
    match committed.verdict {
        Verdict::Counted { offset } => Ok(offset),
        other => {
            let what = format_args!("an effect that must count is {other:?}");
            Err(Violation::new(1, what))
        }
    }
}
