//! One thing wrong at a time, and who must notice it.

use catga_check::{
    Action, Case, History, Level, Operation, Outcome, Record, Refusal, Reply, Shown, Status,
    Verdict, Wrong,
};
use catga_core::Position;
use serde_json::json;

use super::service::{position, shop};

/// Puts something wrong into a case. None if the case has no place for it.
type Plant = fn(&mut Case) -> Option<()>;

/// A name, what is planted, and who must notice it as what.
type Row = (&'static str, Plant, &'static [(&'static str, Wrong)]);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("an acknowledged order is nowhere", lost_everywhere,
        &[("witness", Wrong::Lost), ("readback", Wrong::Lost)]),
    ("an acknowledged order is not in one node's list", lost_in_a_list,
        &[("readback", Wrong::Lost)]),
    ("an acknowledged cancellation is not in a list", lost_cancellation,
        &[("readback", Wrong::Lost)]),
    ("a list has what nobody ordered", uncalled_in_a_list,
        &[("readback", Wrong::Uncalled)]),
    ("a list has an order twice", doubled_in_a_list,
        &[("once", Wrong::Doubled)]),
    ("an acknowledged command is recorded twice", doubled_in_the_journals,
        &[("witness", Wrong::Doubled)]),
    ("an unknown command took effect twice", unknown_twice,
        &[("witness", Wrong::Doubled)]),
    ("what was said not to have run is recorded", not_executed_and_recorded,
        &[("witness", Wrong::Uncalled)]),
    ("what nobody sent is recorded", uncalled_in_the_journals,
        &[("witness", Wrong::Uncalled)]),
    ("a refusal that nobody asked for is recorded", uncalled_refusal,
        &[("witness", Wrong::Uncalled)]),
    ("two commands cancelled one order", cancelled_twice,
        &[("once", Wrong::Doubled), ("linearizable", Wrong::NotLinearizable),
          ("witness", Wrong::WrongState)]),
    ("a refusal without a reason", refused_too_early,
        &[("linearizable", Wrong::NotLinearizable), ("witness", Wrong::WrongState)]),
    ("a stale linearizable read, whose position does not show it", stale_content,
        &[("linearizable", Wrong::NotLinearizable), ("witness", Wrong::Stale)]),
    ("a stale linearizable read, whose position shows it", stale_and_honest,
        &[("linearizable", Wrong::NotLinearizable), ("witness", Wrong::Stale)]),
    ("a read of what is cancelled later", from_the_future,
        &[("linearizable", Wrong::NotLinearizable), ("witness", Wrong::WrongState)]),
    ("positions against the time", positions_swapped,
        &[("witness", Wrong::OutOfOrder)]),
    ("one position for two commands", position_shared,
        &[("witness", Wrong::OutOfOrder)]),
    ("an answer without a position", no_position,
        &[("witness", Wrong::OutOfOrder)]),
    ("a journal that began anew", another_incarnation,
        &[("witness", Wrong::OutOfOrder)]),
    ("the answer of another request", answers_swapped,
        &[("answers", Wrong::WrongReply)]),
    ("an order that is not what was asked for", another_quantity,
        &[("answers", Wrong::WrongReply)]),
    ("a second answer for one key", another_answer,
        &[("once", Wrong::TwoAnswers)]),
    ("a second effect for one key", another_effect,
        &[("once", Wrong::Doubled)]),
    ("a key that passed with another payload", another_payload,
        &[("once", Wrong::WrongReply)]),
    ("a node that goes back", local_goes_back,
        &[("session", Wrong::Stale)]),
    ("a node whose position goes back", node_position_goes_back,
        &[("session", Wrong::Stale)]),
    ("a token that is not honoured", token_without_effect,
        &[("session", Wrong::Stale)]),
    ("a token that is ahead of its answer", token_ahead,
        &[("session", Wrong::Stale)]),
    ("two nodes that recorded two things", journals_differ,
        &[("witness", Wrong::Differs)]),
    ("a node that recorded less", journal_short,
        &[("witness", Wrong::Differs)]),
    ("a journal with a gap", journal_gap,
        &[("witness", Wrong::OutOfOrder)]),
];

/// So many times each is planted.
const ENOUGH: usize = 10;

#[test]
fn each_planted_error_is_caught_by_whom_it_must_be() {
    for (name, plant, by) in TABLE {
        let mut planted = 0;
        for seed in 0..60 {
            if planted == ENOUGH {
                break;
            }
            let mut case = shop(seed, 6, 800);
            if plant(&mut case).is_none() {
                continue;
            }
            planted += 1;
            let verdicts = case.judge();
            for (checker, wrong) in *by {
                let (_, verdict) =
                    verdicts.iter().find(|(name, _)| name == checker).expect("a checker");
                let caught = verdict.findings().iter().any(|finding| finding.wrong == *wrong);
                assert!(caught, "{name}: seed {seed}, {checker}: {:?}", verdict.findings());
            }
        }
        assert!(planted == ENOUGH, "{name}: there was a place for it only {planted} times");
    }
}

#[test]
fn what_cannot_be_judged_is_no_pass() {
    let mut case = shop(1, 6, 300);
    let read = case.history.operations().filter(|it| !matches!(it.action, Action::List { .. }));
    let read: History = read.cloned().collect();
    case.history = read;
    let undecided = case.judge().into_iter().filter(|(_, verdict)| !verdict.is_pass());
    let undecided: Vec<_> = undecided.collect();
    assert!(matches!(&undecided[..], [("readback", Verdict::Undecided(_))]), "{undecided:?}");
}

/// The first operation of which `is_it` holds, to be changed.
fn find(case: &mut Case, is_it: impl Fn(&Operation) -> bool) -> Option<&mut Operation> {
    let number = case.history.operations().find(|it| is_it(it))?.number;
    case.history.get_mut(number)
}

fn is_create(operation: &Operation) -> bool {
    matches!(operation.action, Action::Create { .. }) && operation.shown().is_some()
}

fn is_cancel(operation: &Operation) -> bool {
    matches!(operation.action, Action::Cancel { .. }) && operation.shown().is_some()
}

fn reads(operation: &Operation, wanted: Level) -> bool {
    matches!(operation.action, Action::Get { level, .. } if level == wanted)
        && operation.is_answered()
}

fn shown(operation: &mut Operation) -> &mut Shown {
    match &mut operation.outcome {
        Outcome::Ok(Reply::Order(shown)) => shown,
        other => unreachable!("{other:?}"),
    }
}

fn list<'a>(case: &'a mut Case, order: &str) -> Option<(usize, &'a mut Vec<Shown>)> {
    let has = |orders: &[Shown]| orders.iter().position(|it| it.product_id == order);
    let list = find(
        case,
        |it| matches!(&it.outcome, Outcome::Ok(Reply::Orders(orders)) if has(orders).is_some()),
    )?;
    match &mut list.outcome {
        Outcome::Ok(Reply::Orders(orders)) => Some((has(orders)?, orders)),
        _ => None,
    }
}

/// Adds a record to every journal.
fn record(case: &mut Case, record: impl Fn(&[Record]) -> Record) {
    for journal in &mut case.journals {
        let mut record = record(&journal.records);
        record.offset = journal.records.len() as u64 + 1;
        journal.records.push(record);
    }
}

fn lost_everywhere(case: &mut Case) -> Option<()> {
    let created = find(case, is_create)?.clone();
    let at = created.position?.offset.0;
    for journal in &mut case.journals {
        let lost = journal.records.iter_mut().find(|record| record.offset == at)?;
        (lost.answered, lost.answer) = ("none".to_owned(), json!(null));
        lost.events.clear();
    }
    while let Some((at, orders)) = list(case, &created.order) {
        orders.remove(at);
    }
    Some(())
}

fn lost_in_a_list(case: &mut Case) -> Option<()> {
    let created = find(case, is_create)?.order.clone();
    let (at, orders) = list(case, &created)?;
    orders.remove(at);
    Some(())
}

fn lost_cancellation(case: &mut Case) -> Option<()> {
    let cancelled = find(case, is_cancel)?.order.clone();
    let (at, orders) = list(case, &cancelled)?;
    orders[at].status = Status::Created;
    Some(())
}

fn uncalled_in_a_list(case: &mut Case) -> Option<()> {
    let created = find(case, is_create)?.order.clone();
    let (at, orders) = list(case, &created)?;
    let order = Shown { product_id: "nobody's".to_owned(), ..orders[at].clone() };
    orders.push(Shown { order_id: "id-x".to_owned(), ..order });
    Some(())
}

fn doubled_in_a_list(case: &mut Case) -> Option<()> {
    let created = find(case, is_create)?.order.clone();
    let (at, orders) = list(case, &created)?;
    let twin = Shown { order_id: "id-x".to_owned(), ..orders[at].clone() };
    orders.push(twin);
    Some(())
}

fn again(case: &mut Case, order: &str) {
    let order = order.to_owned();
    record(case, |records| {
        let first = records.iter().find(|it| it.events.iter().any(|event| event.stream == order));
        let mut twin = first.expect("it is there").clone();
        twin.events[0].stream = format!("{order} again");
        twin
    });
}

fn doubled_in_the_journals(case: &mut Case) -> Option<()> {
    let created = find(case, is_create)?.order.clone();
    again(case, &created);
    Some(())
}

fn unknown_twice(case: &mut Case) -> Option<()> {
    let recorded: Vec<_> = case.journals[0].records.iter().flat_map(|it| &it.events).collect();
    let recorded: Vec<_> = recorded.iter().map(|event| event.stream.clone()).collect();
    let unknown = find(case, |it| {
        matches!(it.action, Action::Create { .. })
            && it.outcome == Outcome::Unknown
            && recorded.contains(&it.order)
    });
    let order = unknown?.order.clone();
    again(case, &order);
    Some(())
}

fn not_executed_and_recorded(case: &mut Case) -> Option<()> {
    let operations: Vec<_> = case.history.operations().cloned().collect();
    let only = |it: &&Operation| {
        matches!(it.action, Action::Create { .. })
            && it.outcome == Outcome::NotExecuted
            && operations.iter().filter(|other| other.order == it.order).count() == 1
    };
    let order = operations.iter().find(only)?.order.clone();
    record(case, |records| {
        let mut twin = records.iter().find(|it| it.events.len() == 1).expect("some").clone();
        twin.events[0].stream = order.clone();
        twin.events[0].version = 1;
        twin.events[0].name = "order.created".to_owned();
        twin.events[0].data = json!({ "product_id": order });
        twin
    });
    Some(())
}

fn uncalled_in_the_journals(case: &mut Case) -> Option<()> {
    record(case, |records| {
        let mut twin = records[0].clone();
        twin.events[0].stream = "nobody's".to_owned();
        twin.events[0].data = json!({ "product_id": "nobody's" });
        twin
    });
    Some(())
}

fn uncalled_refusal(case: &mut Case) -> Option<()> {
    record(case, |records| Record {
        answered: "refusal".to_owned(),
        answer: json!({ "AlreadyCancelled": "nobody's" }),
        events: Vec::new(),
        ..records[0].clone()
    });
    Some(())
}

fn cancelled_twice(case: &mut Case) -> Option<()> {
    let cancelled = find(case, is_cancel)?.clone();
    let refused = find(case, |it| {
        it.order == cancelled.order
            && it.refusal().is_some_and(|why| why.code == Refusal::CANCELLED)
    });
    refused?.outcome = cancelled.outcome;
    Some(())
}

fn refused_too_early(case: &mut Case) -> Option<()> {
    // Of a cancellation that nobody else asked for.
    let operations: Vec<_> = case.history.operations().cloned().collect();
    let alone = |it: &&Operation| {
        let cancels = |other: &&Operation| {
            other.order == it.order && matches!(other.action, Action::Cancel { .. })
        };
        is_cancel(it) && operations.iter().filter(cancels).count() == 1
    };
    let number = operations.iter().find(alone)?.number;
    let cancel = case.history.get_mut(number)?;
    let detail = format!("order {} is cancelled already", shown(cancel).order_id);
    cancel.outcome = Outcome::Refused(Refusal { code: Refusal::CANCELLED.to_owned(), detail });
    Some(())
}

/// A read of everything, sent after the cancellation of its order was heard of.
fn after_a_cancellation(case: &mut Case) -> Option<(Operation, &mut Operation)> {
    let cancels: Vec<_> = case.history.operations().filter(|it| is_cancel(it)).cloned().collect();
    for cancel in cancels {
        let late = |it: &Operation| {
            it.order == cancel.order
                && it.invoked > cancel.returned
                && reads(it, Level::Linearizable)
        };
        let number = case.history.operations().find(|it| late(it)).map(|it| it.number);
        if let Some(number) = number {
            return Some((cancel, case.history.get_mut(number)?));
        }
    }
    None
}

fn stale_content(case: &mut Case) -> Option<()> {
    let (_, read) = after_a_cancellation(case)?;
    shown(read).status = Status::Created;
    Some(())
}

fn stale_and_honest(case: &mut Case) -> Option<()> {
    let (cancel, read) = after_a_cancellation(case)?;
    shown(read).status = Status::Created;
    read.position = Some(position(cancel.position?.offset.0 - 1));
    Some(())
}

fn from_the_future(case: &mut Case) -> Option<()> {
    let cancelled: Vec<_> = case
        .history
        .operations()
        .filter(|it| matches!(it.action, Action::Cancel { .. }))
        .map(|it| it.order.clone())
        .collect();
    let read = find(case, |it| reads(it, Level::Linearizable) && !cancelled.contains(&it.order))?;
    shown(read).status = Status::Cancelled;
    Some(())
}

/// Two acknowledged orders without other attempts, the second sent after the first was heard of.
fn two(case: &Case) -> Option<(Operation, Operation)> {
    let mut creates = case.history.operations().filter(|it| is_create(it) && it.key.is_none());
    let first = creates.next()?;
    let second = creates.find(|it| it.invoked > first.returned);
    Some((first.clone(), second?.clone()))
}

fn positions_swapped(case: &mut Case) -> Option<()> {
    let (first, second) = two(case)?;
    case.history.get_mut(first.number)?.position = second.position;
    case.history.get_mut(second.number)?.position = first.position;
    case.journals.clear();
    Some(())
}

fn position_shared(case: &mut Case) -> Option<()> {
    let (first, second) = two(case)?;
    case.history.get_mut(second.number)?.position = first.position;
    Some(())
}

fn no_position(case: &mut Case) -> Option<()> {
    find(case, is_create)?.position = None;
    Some(())
}

fn another_incarnation(case: &mut Case) -> Option<()> {
    let read = find(case, |it| reads(it, Level::Local))?;
    read.position = Some(Position { incarnation: 1, ..read.position? });
    Some(())
}

fn answers_swapped(case: &mut Case) -> Option<()> {
    let (first, second) = two(case)?;
    case.history.get_mut(first.number)?.outcome = second.outcome;
    case.history.get_mut(second.number)?.outcome = first.outcome;
    Some(())
}

fn another_quantity(case: &mut Case) -> Option<()> {
    shown(find(case, is_create)?).quantity += 1;
    Some(())
}

/// A second answer for a key, wherever one was sent twice.
fn repeated(case: &mut Case) -> Option<&mut Operation> {
    let operations: Vec<_> = case.history.operations().filter(|it| it.is_answered()).collect();
    let second = operations.iter().find(|it| {
        it.attempt > 1
            && it.shown().is_some()
            && operations.iter().any(|first| first.key == it.key && first.number < it.number)
    });
    let number = second?.number;
    case.history.get_mut(number)
}

fn another_answer(case: &mut Case) -> Option<()> {
    shown(repeated(case)?).created_at = "another time".to_owned();
    Some(())
}

fn another_effect(case: &mut Case) -> Option<()> {
    repeated(case)?.position = Some(position(9_999));
    Some(())
}

fn another_payload(case: &mut Case) -> Option<()> {
    match &mut repeated(case)?.action {
        Action::Create { quantity, .. } => *quantity += 1,
        Action::Cancel { reason, .. } => reason.push('!'),
        _ => return None,
    }
    Some(())
}

/// Two reads of one order at one node, the second sent after the first was heard of.
fn two_reads(case: &Case, status: Option<Status>) -> Option<(Operation, Operation)> {
    let reads: Vec<_> = case
        .history
        .operations()
        .filter(|it| matches!(it.action, Action::Get { .. }) && it.is_answered())
        .collect();
    let pair = |first: &&&Operation| {
        reads.iter().find(|second| {
            first.node == second.node
                && first.order == second.order
                && first.returned < second.invoked
                && first.shown().map(|shown| shown.status) == status
        })
    };
    let first = reads.iter().find(|first| status.is_some() && pair(first).is_some())?;
    Some(((*first).clone(), (*pair(&first)?).clone()))
}

fn local_goes_back(case: &mut Case) -> Option<()> {
    let (_, second) = two_reads(case, Some(Status::Cancelled))?;
    shown(case.history.get_mut(second.number)?).status = Status::Created;
    Some(())
}

fn node_position_goes_back(case: &mut Case) -> Option<()> {
    let (first, second) = two_reads(case, Some(Status::Created))?;
    case.history.get_mut(second.number)?.position = Some(position(first.position?.offset.0 - 1));
    Some(())
}

fn token_without_effect(case: &mut Case) -> Option<()> {
    let cancels: Vec<_> = case.history.operations().filter(|it| is_cancel(it)).cloned().collect();
    let read = find(case, |it| {
        let Action::Get { token: Some(token), .. } = it.action else { return false };
        let mut cancels = cancels.iter();
        it.shown().is_some()
            && cancels.any(|cancel| cancel.order == it.order && cancel.position <= Some(token))
    });
    shown(read?).status = Status::Created;
    Some(())
}

fn token_ahead(case: &mut Case) -> Option<()> {
    let read = find(case, |it| reads(it, Level::Session))?;
    let Action::Get { token, .. } = &mut read.action else { return None };
    *token = Some(position(read.position?.offset.0 + 1));
    Some(())
}

fn journals_differ(case: &mut Case) -> Option<()> {
    case.journals[1].records[3].at = "another time".to_owned();
    Some(())
}

fn journal_short(case: &mut Case) -> Option<()> {
    case.journals[2].records.pop().map(drop)
}

fn journal_gap(case: &mut Case) -> Option<()> {
    let middle = case.journals[0].records.len() / 2;
    case.journals.iter_mut().for_each(|journal| drop(journal.records.remove(middle)));
    Some(())
}
