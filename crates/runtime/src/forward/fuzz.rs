use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_core::{
    AttemptId, Context, Fault, FaultCode, FieldFault, MessageId, NodeName, Offset, Outcome,
    Position, SessionId, Timestamp, TraceContext,
};
use catga_engine::{Directive, Effect};
use catga_fuzz::{Choices, Counting, allocated};
use catga_journal::RecordedOutcome;

use super::answer::{answers_of, batch_answer};
use super::gathering::TOGETHER_MAX;
use super::request::{Incoming, ReadRequestError, Request, RequestBody, batch_request};
use super::{Answered, ForwardAnswer, ForwardedCommand, command_request, effect_request};
use crate::session::{KEPT_MAX, Marks};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ITERATIONS: usize = 5_000;
const BYTES: usize = 1024;

/// The longest payload that is taken here.
const PAYLOAD_MAX: usize = 200;

fn id(choices: &mut Choices<'_>) -> MessageId {
    MessageId::new(SessionId(choices.number()), choices.number())
}

fn context(choices: &mut Choices<'_>, id: MessageId, remaining: Duration) -> Context {
    let text = |choices: &mut Choices<'_>| choices.flip().then(|| Arc::from(choices.text(20)));
    let mut context = Context::default();
    context.message_id = Some(id);
    context.deadline = Some(remaining);
    context.key = text(choices);
    context.correlation = text(choices);
    context.principal = text(choices);
    context.tenant = text(choices);
    context.causation = choices.flip().then(|| self::id(choices));
    context.trace = choices.flip().then(|| TraceContext {
        trace_id: u128::from(choices.number()) << 64 | u128::from(choices.number()),
        span_id: choices.number(),
        flags: choices.byte(),
    });
    context.after = choices.flip().then(|| Position {
        incarnation: choices.number(),
        partition: choices.number() as u32,
        offset: Offset(choices.number()),
    });
    context
}

fn command(choices: &mut Choices<'_>) -> Request {
    let (id, remaining) = (id(choices), Duration::from_micros(choices.number()));
    let command = ForwardedCommand {
        name: choices.text(30),
        payload: Bytes::copy_from_slice(choices.bytes(PAYLOAD_MAX)),
        id,
        at: Timestamp::from_millis(choices.number()),
        marks: Marks {
            low_water: choices.number(),
            kept: (0..choices.below(6)).map(|_| choices.number()).collect(),
        },
        context: context(choices, id, remaining),
    };
    Request { body: RequestBody::Command(Box::new(command)), remaining }
}

fn effect(choices: &mut Choices<'_>) -> Request {
    let message = id(choices);
    let attempt = AttemptId { message, term: choices.number(), sequence: choices.number() };
    let mut effect = Effect::new(message, attempt);
    effect.at = Timestamp::from_millis(choices.number());
    effect.directive = choices
        .flip()
        .then(|| Directive::OpenSession { node: choices.text(9), nonce: choices.number() });
    let remaining = Duration::from_micros(choices.number());
    Request { body: RequestBody::Effect(Box::new(effect)), remaining }
}

fn written(request: &Request) -> Bytes {
    match &request.body {
        RequestBody::Command(command) => {
            let ForwardedCommand { name, payload, id, at, marks, context } = &**command;
            command_request(name, payload, (*id, *at), marks.clone(), context, request.remaining)
        }
        RequestBody::Effect(effect) => effect_request((**effect).clone(), request.remaining),
    }
}

fn try_request(bytes: &Bytes) {
    let (read, took) = allocated(|| Incoming::decode(bytes.clone(), PAYLOAD_MAX));
    assert!(took.largest <= 64 * bytes.len() + 1024, "{took:?} of {} bytes", bytes.len());
    match read {
        Ok(Incoming::One(request)) => {
            if let RequestBody::Command(command) = &request.body {
                assert!(command.marks.kept.len() <= KEPT_MAX);
                assert_eq!(command.context.message_id, Some(command.id));
                assert_eq!(command.context.deadline, Some(request.remaining));
            }
            assert_eq!(Request::decode(written(&request), PAYLOAD_MAX), Ok(request));
        }
        Ok(Incoming::Several(parts)) => {
            assert!(parts.len() <= TOGETHER_MAX);
            let whole = Request::decode(bytes.clone(), PAYLOAD_MAX);
            assert!(matches!(whole, Err(ReadRequestError::Malformed(_))), "{whole:?}");
            for part in parts {
                // None of them is a batch.
                let _ = Request::decode(part, PAYLOAD_MAX);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[test]
fn a_request_arrives_as_it_was_sent_or_is_refused() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mut bytes = match choices.byte() % 4 {
            0 => Bytes::copy_from_slice(choices.rest()),
            1 => {
                let all = (0..choices.below(5)).map(|_| written(&effect(&mut choices)));
                let all: Vec<_> = all.collect();
                batch_request(all, Duration::from_micros(choices.number()))
            }
            how => {
                let make = if how == 2 { command } else { effect };
                let request = make(&mut choices);
                let bytes = written(&request);
                assert_eq!(Request::decode(bytes.clone(), PAYLOAD_MAX), Ok(request));
                bytes
            }
        }
        .to_vec();
        choices.change(&mut bytes);
        try_request(&bytes.into());
    });
}

fn answer(choices: &mut Choices<'_>) -> ForwardAnswer {
    let fault = |choices: &mut Choices<'_>| {
        let codes = [FaultCode::InvalidMessage, FaultCode::StorageFull, FaultCode::Internal];
        let field = |choices: &mut Choices<'_>| FieldFault {
            field: choices.text(9),
            what: choices.text(9),
        };
        let fields = (0..choices.below(4)).map(|_| field(choices)).collect();
        let fault = Fault::new(*choices.one_of(&codes), choices.text(30)).with_fields(fields);
        fault.with_outcome(*choices.one_of(&[Outcome::Unknown, Outcome::NotExecuted]))
    };
    match choices.byte() % 5 {
        0 => ForwardAnswer::failed(fault(choices)),
        1 => ForwardAnswer::again(fault(choices)),
        2 => ForwardAnswer::Runs,
        3 => ForwardAnswer::NotLeader {
            term: choices.number(),
            leader: choices.flip().then(|| NodeName::new(choices.text(9))),
        },
        _ => ForwardAnswer::Answered(Answered {
            outcome: RecordedOutcome {
                message_id: id(choices),
                refused: choices.flip(),
                payload: Bytes::copy_from_slice(choices.bytes(90)),
            },
            offset: choices.flip().then(|| Offset(choices.number())),
        }),
    }
}

#[test]
fn an_answer_arrives_as_it_was_given_or_is_refused() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let count = choices.below(5);
        let mut bytes = match choices.byte() % 4 {
            0 => Bytes::copy_from_slice(choices.rest()),
            1 => {
                let parts: Vec<_> = (0..count).map(|_| answer(&mut choices).encode()).collect();
                let bytes = batch_answer(parts.clone());
                assert_eq!(answers_of(bytes.clone(), count), Ok(parts));
                bytes
            }
            _ => {
                let answer = answer(&mut choices);
                assert_eq!(ForwardAnswer::decode(answer.clone().encode()), Ok(answer.clone()));
                answer.encode()
            }
        }
        .to_vec();
        choices.change(&mut bytes);
        let bytes = Bytes::from(bytes);
        let (read, took) = allocated(|| ForwardAnswer::decode(bytes.clone()));
        assert!(took.largest <= 64 * bytes.len() + 1024, "{took:?} of {} bytes", bytes.len());
        match &read {
            Ok(answer) => {
                assert_eq!(ForwardAnswer::decode(answer.clone().encode()).as_ref(), Ok(answer))
            }
            Err(why) => assert!(!why.is_empty()),
        }
        match answers_of(bytes, count) {
            Ok(parts) => assert_eq!(parts.len(), count, "one for each request"),
            Err(why) => assert!(read.is_err() && !why.is_empty(), "{why}"),
        }
    });
}
