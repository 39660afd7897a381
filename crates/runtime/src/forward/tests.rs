use std::time::Duration;

use bytes::Bytes;
use catga_core::{
    AttemptId, Condition, Context, Fault, FaultCode, FieldFault, MessageId, NodeName, Offset,
    Outcome, Position, SessionId, StreamName, Timestamp, TraceContext,
};
use catga_engine::{Directive, Effect};
use catga_journal::RecordedOutcome;

use super::answer::{answers_of, batch_answer};
use super::gathering::TOGETHER_MAX;
use super::request::{Incoming, ReadRequestError, Request, RequestBody, batch_request};
use super::{Answered, ForwardAnswer, ForwardedCommand, command_request, effect_request};
use crate::session::Marks;

const ID: MessageId = MessageId::new(SessionId(3), 9);
const REMAINING: Duration = Duration::from_micros(1_234_567);

fn context() -> Context {
    let mut context = Context::default();
    context.message_id = Some(ID);
    context.key = Some("key".into());
    context.correlation = Some("correlation".into());
    context.causation = Some(MessageId::new(SessionId(2), 1));
    context.principal = Some("ann".into());
    context.tenant = Some("tenant".into());
    context.trace = Some(TraceContext { trace_id: u128::MAX - 1, span_id: 7, flags: 1 });
    context.deadline = Some(REMAINING);
    context.after =
        Some(Position { incarnation: u64::MAX, partition: 0, offset: Offset(u64::MAX) });
    context
}

fn command() -> (ForwardedCommand, Bytes) {
    let command = ForwardedCommand {
        name: "order.create".to_owned(),
        payload: Bytes::from_static(b"payload"),
        id: ID,
        at: Timestamp::from_millis(77),
        marks: Marks { low_water: 5, kept: vec![1, 4] },
        context: context(),
    };
    let ForwardedCommand { name, payload, id, at, marks, context } = command.clone();
    let bytes = command_request(&name, &payload, (id, at), marks, &context, REMAINING);
    (command, bytes)
}

#[test]
fn a_command_arrives_as_it_was_sent() {
    let (command, bytes) = command();
    let request = Request::decode(bytes, 100).expect("it is whole");
    let body = RequestBody::Command(Box::new(command));
    assert_eq!(request, Request { body, remaining: REMAINING });
}

#[test]
fn an_effect_arrives_as_it_was_sent_if_no_handler_decides_it() {
    let id = MessageId::new(SessionId(0), 5);
    let mut effect = Effect::new(id, AttemptId { message: id, term: 1, sequence: 2 });
    effect.directive = Some(Directive::OpenSession { node: "n".to_owned(), nonce: 5 });
    let request = Request::decode(effect_request(effect.clone(), REMAINING), 100);
    assert_eq!(request.expect("it is whole").body, RequestBody::Effect(Box::new(effect.clone())));
    let mut decided = effect.clone();
    decided.conditions.push(Condition::StreamAbsent { stream: StreamName::from_stored("a") });
    let mut raises = effect;
    raises.directive = Some(Directive::RaiseEngine { to: 1 });
    for refused in [decided, raises] {
        let request = Request::decode(effect_request(refused, REMAINING), 100);
        assert!(matches!(request, Err(ReadRequestError::Malformed(_))), "{request:?}");
    }
}

#[test]
fn an_answer_arrives_as_it_was_given() {
    let outcome = |refused| RecordedOutcome {
        message_id: ID,
        refused,
        payload: Bytes::from_static(b"answer"),
    };
    let fields = vec![FieldFault { field: "f".to_owned(), what: "w".to_owned() }];
    let fault = Fault::new(FaultCode::StorageFull, "full").with_fields(fields);
    for answer in [
        ForwardAnswer::Answered(Answered { outcome: outcome(false), offset: Some(Offset(7)) }),
        ForwardAnswer::Answered(Answered { outcome: outcome(true), offset: None }),
        ForwardAnswer::failed(fault.clone()),
        ForwardAnswer::again(fault.with_outcome(Outcome::Unknown)),
        ForwardAnswer::NotLeader { term: 4, leader: Some(NodeName::new("node2")) },
        ForwardAnswer::NotLeader { term: 4, leader: None },
    ] {
        assert_eq!(ForwardAnswer::decode(answer.clone().encode()), Ok(answer));
    }
}

#[test]
fn foreign_bytes_and_too_many_are_errors() {
    let (_, bytes) = command();
    for len in 0..bytes.len() {
        let cut = bytes.slice(..len);
        // What is cut between two fields may be whole, or lack what it needs.
        let _ = Request::decode(cut.clone(), 100);
        let _ = ForwardAnswer::decode(cut);
    }
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[place] ^= 1 << bit;
            let _ = Request::decode(changed.clone().into(), 100);
            let _ = ForwardAnswer::decode(changed.into());
        }
    }
    assert!(Request::decode(Bytes::new(), 100).is_err());
    assert!(ForwardAnswer::decode(Bytes::new()).is_err());
    let large = Request::decode(vec![0; 300 << 10].into(), 100);
    assert_eq!(large, Err(ReadRequestError::TooLarge(300 << 10, (64 << 10) + 100)));
    // Field 1 is the version.
    assert_eq!(Request::decode(vec![8, 9].into(), 100), Err(ReadRequestError::Newer(9)));
    assert!(ForwardAnswer::decode(vec![8, 9].into()).is_err());
}

#[test]
fn one_request_is_no_larger_than_it_may_be_by_itself() {
    let id = (ID, Timestamp::from_millis(77));
    let payload = Bytes::from(vec![7; 70 << 10]);
    let context = Context::default();
    let bytes = command_request("n", &payload, id, Marks::default(), &context, REMAINING);
    let len = bytes.len();
    let limit = (64 << 10) + 100;
    assert_eq!(Request::decode(bytes.clone(), 100), Err(ReadRequestError::TooLarge(len, limit)));
    assert!(Request::decode(bytes, 70 << 10).is_ok());
}

#[test]
fn a_batch_arrives_as_it_was_sent_and_holds_no_more_than_it_may() {
    let (_, bytes) = command();
    let requests = vec![bytes; TOGETHER_MAX];
    let batch = batch_request(requests.clone(), REMAINING);
    assert_eq!(Incoming::decode(batch.clone(), 100), Ok(Incoming::Several(requests.clone())));
    let within = Request::decode(batch, 100);
    assert!(matches!(within, Err(ReadRequestError::Malformed(_))), "{within:?}");
    let one_more = requests.into_iter().chain([Bytes::new()]);
    let refused = Incoming::decode(batch_request(one_more, REMAINING), 100);
    assert!(matches!(refused, Err(ReadRequestError::Malformed(_))), "{refused:?}");
}

#[test]
fn the_answers_to_a_batch_are_as_many_as_the_requests_or_one_for_all() {
    let answers = vec![Bytes::from_static(b"one"), ForwardAnswer::Runs.encode()];
    let bytes = batch_answer(answers.clone());
    assert_eq!(answers_of(bytes.clone(), 2), Ok(answers));
    assert!(answers_of(bytes.clone(), 3).is_err());
    assert!(ForwardAnswer::decode(bytes).is_err(), "one request was made");
    let fault = Fault::new(FaultCode::ShuttingDown, "it stops");
    let for_all = ForwardAnswer::again(fault).encode();
    assert_eq!(answers_of(for_all.clone(), 2), Ok(vec![for_all.clone(), for_all]));
    assert!(answers_of(Bytes::from_static(b"?"), 2).is_err());
}
