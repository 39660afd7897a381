use std::collections::HashMap;

use super::placed::Placed;
use crate::{Action, Finding, History, Level, Operation, Status, Wrong};

/// Where an order was placed and where it was cancelled.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    created: Option<u64>,
    cancelled: Option<u64>,
    /// Somebody asked for it, and nobody knows what came of that.
    maybe_created: bool,
    maybe_cancelled: bool,
}

/// A read shows its order as it was somewhere between what it must show and what it says it has
/// seen; one of everything names a place behind all that was acknowledged.
pub(super) fn check(
    history: &History,
    placed: &[Placed<'_>],
    has_journals: bool,
    findings: &mut Vec<Finding>,
) {
    let lives = lives(placed, has_journals);
    let mut acknowledged: Vec<_> = history
        .operations()
        .filter(|operation| operation.is_command() && operation.is_answered())
        .filter_map(|operation| Some((operation.returned, operation.position?.offset.0)))
        .collect();
    acknowledged.sort_unstable();
    let mut reads: Vec<_> = history.operations().filter(|it| it.is_answered()).collect();
    reads.retain(|operation| !operation.is_command());
    reads.sort_by_key(|operation| operation.invoked);
    let (mut next, mut head) = (0, 0);
    for read in reads {
        while let Some((_, at)) = acknowledged.get(next).filter(|(time, _)| *time < read.invoked) {
            head = head.max(*at);
            next += 1;
        }
        let Some(upto) = read.position.map(|position| position.offset.0) else {
            let what = format!("{:?} was answered without a position", read.action);
            findings.push(Finding::new(Wrong::OutOfOrder, what, [read.number]));
            continue;
        };
        let (level, token) = match read.action {
            Action::Get { level, token, .. } => (level, token),
            _ => (Level::Linearizable, None),
        };
        let shown = token.map_or(0, |token| token.offset.0);
        let from = if level == Level::Linearizable { head.max(shown) } else { shown };
        if upto < from {
            let what = format!("a {level:?} read at {upto}, where {from} was known");
            findings.push(Finding::new(Wrong::Stale, what, [read.number]));
        } else if matches!(read.action, Action::Get { .. }) {
            let life = lives.get(&*read.order).copied().unwrap_or_default();
            findings.extend(life.check(read, from, upto));
        }
    }
}

fn lives<'a>(placed: &[Placed<'a>], has_journals: bool) -> HashMap<&'a str, Life> {
    let mut lives = HashMap::<&str, Life>::new();
    for one in placed {
        let life = lives.entry(&one.effect.first().order).or_default();
        let refused = one.effect.answer().is_some_and(|answer| answer.refusal().is_some());
        let (at, maybe) = match one.effect.is_create() {
            true => (&mut life.created, &mut life.maybe_created),
            false => (&mut life.cancelled, &mut life.maybe_cancelled),
        };
        match one.at {
            Some(place) if !refused => *at = Some(at.map_or(place, |at| at.min(place))),
            Some(_) => {}
            // What the journals do not hold never happened.
            None => *maybe |= !has_journals && one.effect.may_count(),
        }
    }
    lives
}

impl Life {
    fn check(self, read: &Operation, from: u64, upto: u64) -> Option<Finding> {
        let within = |at: Option<u64>| at.is_some_and(|at| at <= upto);
        let before = |at: Option<u64>| at.is_some_and(|at| at <= from);
        let (wrong, what) = match read.shown().map(|shown| shown.status) {
            None if before(self.created) => (Wrong::Stale, "is not found"),
            Some(_) if !within(self.created) && !self.maybe_created => {
                (Wrong::WrongState, "is shown, and was not placed yet")
            }
            Some(Status::Created) if before(self.cancelled) => (Wrong::Stale, "is open"),
            Some(Status::Cancelled) if !within(self.cancelled) && !self.maybe_cancelled => {
                (Wrong::WrongState, "is cancelled, and was not yet")
            }
            _ => return None,
        };
        let what = format!("order {} {what}, from {from} up to {upto}: {self:?}", read.order);
        Some(Finding::new(wrong, what, [read.number]))
    }
}
