use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_core::{Context, MessageId, Offset, Position, SessionId, Timestamp, TraceContext};
use catga_engine::{Directive, Effect, Entry};
use prost::Message;

use super::gathering::{TOGETHER_BYTES_MAX, TOGETHER_MAX};
use super::wire::{self, Body, VERSION};
use crate::session::{KEPT_MAX, Marks};

/// How many bytes a request may have besides its payload: the context, the name, and the ids that
/// are kept.
const FRAME_BYTES_MAX: usize = 64 << 10;

/// A request of another node, read and found well formed.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) body: RequestBody,
    /// How long the caller still waits.
    pub(super) remaining: Duration,
}

#[derive(Debug, PartialEq)]
pub(super) enum RequestBody {
    /// Run the handler of a command.
    Command(Box<ForwardedCommand>),
    /// Commit an effect that needs no handler.
    Effect(Box<Effect>),
}

/// What came from another node.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    One(Request),
    /// Requests, each to be read by itself; none waits for another.
    Several(Vec<Bytes>),
}

/// A command that was called on another node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ForwardedCommand {
    pub(crate) name: String,
    pub(crate) payload: Bytes,
    pub(crate) id: MessageId,
    /// The wall time of the origin.
    pub(crate) at: Timestamp,
    /// What the origin's session says with this id.
    pub(crate) marks: Marks,
    /// As it was called there, with the id and what is left of the deadline.
    pub(crate) context: Context,
}

/// Why the bytes of a request are not acted upon.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum ReadRequestError {
    #[error("it has {0} bytes, and this node takes {1}")]
    TooLarge(usize, usize),
    #[error("it is not a request: {0}")]
    Malformed(String),
    #[error("it needs version {0} of the requests between nodes, and this node knows {VERSION}")]
    Newer(u32),
}

/// The request to run the handler of `name`.
pub(crate) fn command_request(
    name: &str,
    payload: &Bytes,
    (id, at): (MessageId, Timestamp),
    marks: Marks,
    context: &Context,
    remaining: Duration,
) -> Bytes {
    let text = |text: &Option<Arc<str>>| text.as_ref().map(ToString::to_string);
    let command = wire::Command {
        name: name.to_owned(),
        payload: payload.clone(),
        id: Some(id.into()),
        at_ms: at.as_millis(),
        low_water: marks.low_water,
        kept: marks.kept,
        key: text(&context.key),
        correlation: text(&context.correlation),
        causation: context.causation.map(Into::into),
        principal: text(&context.principal),
        tenant: text(&context.tenant),
        trace: context.trace.map(Into::into),
        after: context.after.map(Into::into),
    };
    encode(Body::Command(command), remaining)
}

/// The request to commit `effect`, which needs no handler.
pub(crate) fn effect_request(effect: Effect, remaining: Duration) -> Bytes {
    let entry = Entry { effects: vec![effect], ..Entry::default() };
    encode(Body::Effect(entry.encode()), remaining)
}

/// The request to do what each of `requests` says, which callers wait for at most for `remaining`.
pub(super) fn batch_request(
    requests: impl IntoIterator<Item = Bytes>,
    remaining: Duration,
) -> Bytes {
    let parts = requests.into_iter().collect();
    encode(Body::Batch(wire::Batch { parts }), remaining)
}

fn encode(body: Body, remaining: Duration) -> Bytes {
    let remaining_us = u64::try_from(remaining.as_micros()).unwrap_or(u64::MAX);
    wire::Request { version: VERSION, remaining_us, body: Some(body) }.encode_to_vec().into()
}

impl Incoming {
    /// Reads a request whose payload has at most `payload_max` bytes, or a batch of such.
    ///
    /// # Errors
    /// When it is too large, malformed, or of a newer build that means more by it.
    pub(super) fn decode(bytes: Bytes, payload_max: usize) -> Result<Self, ReadRequestError> {
        let limit = payload_max + FRAME_BYTES_MAX;
        let most = limit.max(TOGETHER_BYTES_MAX + TOGETHER_MAX * 8);
        let length = bytes.len();
        if length > most {
            return Err(ReadRequestError::TooLarge(length, limit));
        }
        let request = wire::Request::decode(bytes)
            .map_err(|error| ReadRequestError::Malformed(error.to_string()))?;
        if request.version > VERSION {
            return Err(ReadRequestError::Newer(request.version));
        }
        let remaining = Duration::from_micros(request.remaining_us);
        let body = match request.body {
            Some(Body::Batch(wire::Batch { parts })) if parts.len() > TOGETHER_MAX => {
                return Err(malformed(format!("it is a batch of {} requests", parts.len())));
            }
            Some(Body::Batch(wire::Batch { parts })) => return Ok(Self::Several(parts)),
            _ if length > limit => return Err(ReadRequestError::TooLarge(length, limit)),
            Some(Body::Command(command)) => RequestBody::Command(Box::new(
                ForwardedCommand::read(command, remaining).map_err(malformed)?,
            )),
            Some(Body::Effect(entry)) => RequestBody::Effect(Box::new(read_effect(&entry)?)),
            None => return Err(malformed("it asks for nothing that this node knows")),
        };
        Ok(Self::One(Request { body, remaining }))
    }
}

impl Request {
    /// Reads what must be one request.
    ///
    /// # Errors
    /// As [`Incoming::decode`]'s, and when it is a batch.
    pub(super) fn decode(bytes: Bytes, payload_max: usize) -> Result<Self, ReadRequestError> {
        match Incoming::decode(bytes, payload_max)? {
            Incoming::One(request) => Ok(request),
            Incoming::Several(_) => Err(malformed("it is a batch where one request may be")),
        }
    }
}

fn malformed(what: impl ToString) -> ReadRequestError {
    ReadRequestError::Malformed(what.to_string())
}

/// The one effect of `entry`, if it needs no handler to have decided it.
fn read_effect(entry: &Bytes) -> Result<Effect, ReadRequestError> {
    let entry = Entry::decode(entry).map_err(malformed)?;
    let [effect] = <[Effect; 1]>::try_from(entry.effects)
        .map_err(|effects| malformed(format!("it has {} effects, not one", effects.len())))?;
    let opens = match &effect.directive {
        None => false,
        Some(Directive::OpenSession { .. }) => true,
        Some(Directive::RaiseEngine { .. } | Directive::CloseSession { .. }) => {
            return Err(malformed("only the leader itself asks that of the engine"));
        }
    };
    let decided = !effect.conditions.is_empty() || !effect.records.is_empty();
    if decided || (opens && !effect.events.is_empty()) {
        return Err(malformed("its effect is one that a handler decides"));
    }
    Ok(effect)
}

impl ForwardedCommand {
    fn read(command: wire::Command, remaining: Duration) -> Result<Self, &'static str> {
        let id: MessageId = command.id.ok_or("it has no id")?.into();
        if command.kept.len() > KEPT_MAX {
            return Err("it keeps more ids than a node may");
        }
        let text = |text: Option<String>| text.map(Arc::from);
        let mut context = Context::default();
        context.message_id = Some(id);
        context.key = text(command.key);
        context.correlation = text(command.correlation);
        context.causation = command.causation.map(Into::into);
        context.principal = text(command.principal);
        context.tenant = text(command.tenant);
        context.trace = command.trace.map(Into::into);
        context.deadline = Some(remaining);
        context.after = command.after.map(Into::into);
        Ok(Self {
            name: command.name,
            payload: command.payload,
            id,
            at: Timestamp::from_millis(command.at_ms),
            marks: Marks { low_water: command.low_water, kept: command.kept },
            context,
        })
    }
}

impl From<MessageId> for wire::Id {
    fn from(id: MessageId) -> Self {
        Self { session: id.session.0, sequence: id.sequence }
    }
}

impl From<wire::Id> for MessageId {
    fn from(id: wire::Id) -> Self {
        Self::new(SessionId(id.session), id.sequence)
    }
}

impl From<TraceContext> for wire::Trace {
    fn from(trace: TraceContext) -> Self {
        Self {
            trace_high: (trace.trace_id >> 64) as u64,
            trace_low: trace.trace_id as u64,
            span: trace.span_id,
            flags: trace.flags.into(),
        }
    }
}

impl From<wire::Trace> for TraceContext {
    fn from(trace: wire::Trace) -> Self {
        Self {
            trace_id: u128::from(trace.trace_high) << 64 | u128::from(trace.trace_low),
            span_id: trace.span,
            flags: trace.flags as u8,
        }
    }
}

impl From<Position> for wire::Position {
    fn from(position: Position) -> Self {
        let Position { incarnation, partition, offset } = position;
        Self { incarnation, partition, offset: offset.0 }
    }
}

impl From<wire::Position> for Position {
    fn from(position: wire::Position) -> Self {
        let wire::Position { incarnation, partition, offset } = position;
        Self { incarnation, partition, offset: Offset(offset) }
    }
}
