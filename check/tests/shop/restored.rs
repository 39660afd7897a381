//! A backup of the shop in the middle of its work, and one thing wrong with it at a time.

use std::fs;

use catga_check::{
    Action, BACKUPS, Backup, Case, HISTORY, History, Operation, Outcome, Refusal, Reply, Restored,
    Shown, Status, Verdict, Wrong, restored,
};
use catga_core::Position;

use super::program::lines;
use super::service::shop;

/// A case with a backup in its middle, and what was restored of it: a list of each customer's
/// orders, and every command with a key again that was answered before.
fn backed_up(seed: u64) -> Case {
    let mut case = shop(seed, 6, 800);
    let from = case.history.operations().map(|it| it.invoked).max().unwrap_or_default() / 2;
    let known = |it: &&Operation| it.is_command() && it.is_answered() && it.returned < from;
    let before: Vec<_> = case.history.operations().filter(known).cloned().collect();
    let upto = before.iter().filter_map(|it| Some(it.position?.offset)).max();
    let upto = upto.expect("something was answered").0;
    let is_in = |stream: &str, name: &str| {
        let mut records = case.journals[0].records.iter().take_while(|it| it.offset <= upto);
        records.any(|it| it.events.iter().any(|it| it.stream == stream && it.name == name))
    };
    let mut lists: Vec<_> = case.history.operations().filter(|it| it.node == 0).cloned().collect();
    lists.retain(|it| matches!(it.action, Action::List { .. }));
    for list in &mut lists {
        let Outcome::Ok(Reply::Orders(orders)) = &mut list.outcome else { continue };
        orders.retain(|order| is_in(&order.product_id, "order.created"));
        for order in orders {
            let is_cancelled = is_in(&order.product_id, "order.cancelled");
            order.status = if is_cancelled { Status::Cancelled } else { Status::Created };
        }
    }
    let again = before.into_iter().filter(|it| it.key.is_some());
    let of_another_life = |mut it: Operation| {
        it.position = it.position.map(|own| Position { incarnation: 1, ..own });
        it
    };
    let seen = lists.into_iter().chain(again).map(of_another_life).collect();
    let backup =
        Backup { number: Some(7), node: 2, from, to: from + 1, said: "it is made".to_owned() };
    case.restored.push(Restored { backup, seen });
    case
}

/// The first of what was seen of which `is_it` holds, to be changed.
fn find(case: &mut Case, is_it: impl Fn(&Operation) -> bool) -> &mut Operation {
    let seen = &mut case.restored[0].seen;
    let number = seen.operations().find(|it| is_it(it)).expect("there is one").number;
    seen.get_mut(number).expect("the same")
}

/// A list that has an order of which `is_it` holds, and where.
fn listed(case: &mut Case, is_it: impl Fn(&Shown) -> bool) -> (&mut Vec<Shown>, usize) {
    let place = |it: &Operation| match &it.outcome {
        Outcome::Ok(Reply::Orders(orders)) => orders.iter().position(&is_it),
        _ => None,
    };
    let list = find(case, |it| place(it).is_some());
    let at = place(list).expect("it was found by that");
    match &mut list.outcome {
        Outcome::Ok(Reply::Orders(orders)) => (orders, at),
        other => unreachable!("{other:?}"),
    }
}

/// The product of an order that was acknowledged before the backup.
fn acknowledged(case: &Case, is_cancel: bool) -> String {
    let seen = case.restored[0].seen.operations();
    let mut done = seen.filter(|it| it.is_command() && it.shown().is_some());
    let done = done.find(|it| matches!(it.action, Action::Cancel { .. }) == is_cancel);
    done.expect("there is one").order.clone()
}

fn lost(case: &mut Case) {
    let order = acknowledged(case, false);
    let (orders, at) = listed(case, |it| it.product_id == order);
    orders.remove(at);
}

fn lost_customer(case: &mut Case) {
    let order = acknowledged(case, false);
    listed(case, |it| it.product_id == order);
    let list = find(case, |it| match &it.outcome {
        Outcome::Ok(Reply::Orders(orders)) => orders.iter().any(|it| it.product_id == order),
        _ => false,
    });
    let Action::List { customer } = &list.action else { unreachable!("it is a list") };
    let (code, detail) = (Refusal::NO_CUSTOMER.to_owned(), format!("{customer} has none"));
    list.outcome = Outcome::Refused(Refusal { code, detail });
}

fn lost_cancellation(case: &mut Case) {
    let order = acknowledged(case, true);
    let (orders, at) = listed(case, |it| it.product_id == order);
    orders[at].status = Status::Created;
}

fn doubled(case: &mut Case) {
    let (orders, at) = listed(case, |_| true);
    orders.push(Shown { order_id: "id-x".to_owned(), ..orders[at].clone() });
}

fn never_sent(case: &mut Case) {
    let (orders, at) = listed(case, |_| true);
    let (order_id, product_id) = ("id-x".to_owned(), "nobody's".to_owned());
    orders.push(Shown { order_id, product_id, ..orders[at].clone() });
}

fn sent_only_later(case: &mut Case) {
    let to = case.restored[0].backup.to;
    let later = |it: &&Operation| {
        matches!(it.action, Action::Create { .. }) && it.invoked > to && it.attempt == 1
    };
    let later = case.history.operations().filter(later).find_map(Operation::shown);
    let later = later.expect("some are").clone();
    let (orders, _) = listed(case, |it| it.customer_id == later.customer_id);
    orders.push(later);
}

fn looks_otherwise(case: &mut Case) {
    let order = acknowledged(case, false);
    let (orders, at) = listed(case, |it| it.product_id == order);
    orders[at].created_at = "another day".to_owned();
}

fn forgotten_key(case: &mut Case) {
    let again = find(case, |it| matches!(it.action, Action::Create { .. }));
    let Outcome::Ok(Reply::Order(shown)) = &mut again.outcome else { unreachable!("it was one") };
    shown.order_id = "id-x".to_owned();
}

fn counted_elsewhere(case: &mut Case) {
    let again = find(case, |it| it.key.is_some());
    let position = again.position.as_mut().expect("it has one");
    position.offset.0 += 1;
}

/// A name, what is planted, and as what it is noticed.
type Row = (&'static str, fn(&mut Case), Wrong);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("an order acknowledged before the backup is not in it", lost, Wrong::Lost),
    ("all orders of a customer are not in it", lost_customer, Wrong::Lost),
    ("an order cancelled before it is open in it", lost_cancellation, Wrong::Lost),
    ("it has an order twice", doubled, Wrong::Doubled),
    ("it has an order that nobody sent", never_sent, Wrong::Uncalled),
    ("it has an order that was sent only later", sent_only_later, Wrong::Uncalled),
    ("an order in it is another than it was", looks_otherwise, Wrong::TwoAnswers),
    ("a key of before gets another answer", forgotten_key, Wrong::TwoAnswers),
    ("a key of before counts in another place", counted_elsewhere, Wrong::Doubled),
];

#[test]
fn a_backup_lacks_nothing_that_was_acknowledged_before_it_or_is_accused() {
    for seed in 0..20 {
        let case = backed_up(seed);
        for (checker, verdict) in case.judge() {
            assert!(verdict.is_pass(), "seed {seed}, {checker}: {:?}", verdict.findings());
        }
        for (name, plant, wrong) in TABLE {
            let mut case = case.clone();
            plant(&mut case);
            let verdict = restored(&case.history, &case.restored);
            let findings = verdict.findings();
            let caught =
                findings.iter().any(|it| it.wrong == *wrong && it.what.contains("backup 7"));
            assert!(caught, "{name}: seed {seed}: {findings:?}");
        }
    }
}

#[test]
fn what_the_first_cluster_did_wrong_is_no_fault_of_a_backup() {
    let mut case = backed_up(1);
    let list = |it: &&Operation| matches!(&it.outcome, Outcome::Ok(Reply::Orders(_)));
    let number = case.history.operations().find(list).expect("a list").number;
    case.history.get_mut(number).expect("the same").outcome = Outcome::Ok(Reply::Orders(vec![]));
    let wrong = case.judge().into_iter().filter(|(_, verdict)| !verdict.is_pass());
    assert_eq!(wrong.map(|(checker, _)| checker).collect::<Vec<_>>(), ["readback"]);
}

#[test]
fn a_backup_of_which_nothing_was_read_back_is_no_pass() {
    let mut case = backed_up(1);
    let commands = case.restored[0].seen.operations().filter(|it| it.is_command());
    let commands: History = commands.cloned().collect();
    case.restored[0].seen = commands;
    let verdict = restored(&case.history, &case.restored);
    assert!(matches!(verdict, Verdict::Undecided(_)), "{verdict}");
}

#[test]
fn what_was_restored_is_read_from_the_files_of_a_run() {
    let (dir, case) = (tempfile::tempdir().expect("a directory"), backed_up(1));
    let write = |name: &str, text: String| {
        fs::write(dir.path().join(name), text).expect("written");
    };
    let Restored { backup, seen } = &case.restored[0];
    write(HISTORY, lines(case.history.operations()));
    write(&Restored::file_name(7), lines(seen.operations()));
    assert!(Case::read(&[dir.path().to_owned()]).is_err(), "nobody says when that was made");
    let failed = Backup { number: None, said: "no room".to_owned(), ..backup.clone() };
    write(BACKUPS, lines([&failed, backup]));
    let read = Case::read(&[dir.path().to_owned()]).expect("a run");
    assert_eq!(read, Case { journals: Vec::new(), ..case });
}
