use std::collections::{BTreeMap, HashMap, HashSet};

use super::placed::Placed;
use crate::journal::{Mark, Record, bare};
use crate::{Action, Finding, Journal, Outcome, Wrong};

/// The journals hold what was acknowledged, once, and nothing that nobody sent.
pub(super) fn check(placed: &[Placed<'_>], journals: &[Journal], findings: &mut Vec<Finding>) {
    let Some(first) = journals.first() else { return };
    journals.iter().for_each(|journal| whole(journal, findings));
    journals[1..].iter().for_each(|journal| same(first, journal, findings));
    let commands: HashMap<Mark<'_>, &Placed<'_>> =
        placed.iter().map(|one| (one.effect.mark(), one)).collect();
    for (mark, places) in first.placed() {
        let sent = commands.get(&mark).map(|one| one.effect);
        let numbers = sent.map(|effect| effect.numbers()).unwrap_or_default();
        if places.len() > 1 {
            let what = format!("{mark:?} is recorded at {places:?}");
            findings.push(Finding::new(Wrong::Doubled, what, numbers.clone()));
        }
        match sent {
            None => {
                let what = format!("{mark:?} at {places:?} was never sent");
                findings.push(Finding::new(Wrong::Uncalled, what, []));
            }
            Some(effect) if !effect.may_count() => {
                let what = format!("{mark:?} at {places:?} was said not to have run");
                findings.push(Finding::new(Wrong::Uncalled, what, numbers));
            }
            Some(_) => {}
        }
    }
    for journal in journals {
        placed.iter().for_each(|one| findings.extend(one.check(journal)));
    }
    refusals(placed, first, findings);
}

/// Offsets are gap-free, and so are the versions of each stream.
fn whole(journal: &Journal, findings: &mut Vec<Finding>) {
    let (mut next, mut versions) = (1, HashMap::<&str, u64>::new());
    for record in &journal.records {
        let mut wrong = |what: String| {
            findings.push(Finding::new(Wrong::OutOfOrder, format!("{}: {what}", journal.node), []));
        };
        if record.offset != next {
            wrong(format!("record {} follows {}", record.offset, next - 1));
        }
        next = record.offset + 1;
        for event in &record.events {
            let version = versions.entry(&event.stream).or_default();
            *version += 1;
            if event.version != *version {
                wrong(format!("event {} of {} is number {version}", event.version, event.stream));
            }
        }
    }
}

/// Two journals are the same; all nodes were at rest, so neither is longer.
fn same(one: &Journal, other: &Journal, findings: &mut Vec<Finding>) {
    let differs = one.records.iter().zip(&other.records).find(|(one, other)| one != other);
    let what = match differs {
        Some((left, right)) => format!("{left:?} and {right:?}"),
        None if one.records.len() != other.records.len() => {
            format!("{} and {} records", one.records.len(), other.records.len())
        }
        None => return,
    };
    let what = format!("{} and {}: {what}", one.node, other.node);
    findings.push(Finding::new(Wrong::Differs, what, []));
}

impl Placed<'_> {
    /// What was answered is recorded where the answer says.
    fn check(&self, journal: &Journal) -> Option<Finding> {
        let answer = self.effect.answer()?;
        let at = answer.position?.offset.0;
        let find = |wrong, what: String| {
            let what = format!("{} at {at}: {what}", journal.node);
            Some(Finding::new(wrong, what, self.effect.numbers()))
        };
        let Some(record) = journal.at(at) else {
            return find(Wrong::Lost, format!("{:?} is not recorded", answer.action));
        };
        if self.is_recorded_in(record) {
            return None;
        }
        let what =
            format!("{:?} got {:?}, and {record:?} is recorded", answer.action, answer.outcome);
        // Its events are nowhere at all: it is not only in the wrong place.
        let is_there = answer.refusal().is_some()
            || journal.records.iter().any(|record| {
                record.events.iter().any(|event| event.mark() == Some(self.effect.mark()))
            });
        find(if is_there { Wrong::Differs } else { Wrong::Lost }, what)
    }

    fn is_recorded_in(&self, record: &Record) -> bool {
        let Some(answer) = self.effect.answer() else { return false };
        let id =
            |id: &str| record.answer.get("orderId").and_then(|it| it.as_str()) == Some(&*bare(id));
        match (&answer.action, &answer.outcome, &*record.events) {
            (Action::Create { customer, quantity }, Outcome::Ok(_), [event]) => {
                event.mark() == Some(self.effect.mark())
                    && event.text("customer_id") == Some(customer)
                    && event.data.get("quantity").and_then(|it| it.as_u64())
                        == Some(u64::from(*quantity))
                    && answer.shown().is_some_and(|shown| id(&shown.order_id))
            }
            (Action::Cancel { id: order, .. }, Outcome::Ok(_), [event]) => {
                event.mark() == Some(self.effect.mark()) && id(order)
            }
            (Action::Cancel { id: order, .. }, Outcome::Refused(_), []) => {
                let named = record.already_cancelled();
                record.answered == "refusal" && named.is_none_or(|named| named == bare(order))
            }
            _ => false,
        }
    }
}

/// Each refusal in the journal is one that somebody heard, or one of a command of that order of
/// which nobody heard.
fn refusals(placed: &[Placed<'_>], journal: &Journal, findings: &mut Vec<Finding>) {
    let heard: HashSet<_> = placed
        .iter()
        .filter(|one| one.effect.answer().is_some_and(|answer| answer.refusal().is_some()))
        .filter_map(|one| one.at)
        .collect();
    let mut open = BTreeMap::<String, usize>::new();
    for one in placed.iter().filter(|one| one.at.is_none() && one.effect.may_count()) {
        if let Action::Cancel { id, .. } = &one.effect.first().action {
            *open.entry(bare(id)).or_default() += 1;
        }
    }
    for record in journal.records.iter().filter(|record| !heard.contains(&record.offset)) {
        let Some(order) = record.already_cancelled() else { continue };
        match open.get_mut(order).filter(|left| **left > 0) {
            Some(left) => *left -= 1,
            None => {
                let what = format!("nobody asked for the refusal at {}: {order}", record.offset);
                findings.push(Finding::new(Wrong::Uncalled, what, []));
            }
        }
    }
}
