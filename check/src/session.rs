//! Does a read show what its client has seen, and does a node never go back?
//!
//! Read-your-writes and monotonic reads, after Terry et al., "Session guarantees for weakly
//! consistent replicated data" (PDIS 1994): by token across nodes, and on one node without one.
//!
//! **Does not see** a read that shows too little of what nobody acknowledged; how stale a read
//! without a token is; nor what goes wrong on a node between two reads of different orders, but for
//! the positions that it names.

use std::collections::{BTreeMap, HashMap};

use crate::effect::effects;
use crate::{Action, Finding, History, Level, Operation, Status, Verdict, Wrong};

/// Compares reads with what their clients held in hand, and with what was read on the node before.
pub fn session(history: &History) -> Verdict {
    let mut findings = Vec::new();
    tokens(history, &mut findings);
    nodes(history, &mut findings);
    Verdict::of(findings)
}

/// How much of an order an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Nothing,
    Order(Status),
}

fn seen(operation: &Operation) -> Option<Seen> {
    match operation.shown() {
        Some(shown) => Some(Seen::Order(shown.status)),
        None => operation.refusal().map(|_| Seen::Nothing),
    }
}

/// A read shows every command of its order that counted up to its token.
fn tokens(history: &History, findings: &mut Vec<Finding>) {
    let mut known = HashMap::<&str, Vec<(u64, &Operation)>>::new();
    for effect in effects(history) {
        if let (Some(answer), Some(position)) = (effect.answer(), effect.position())
            && answer.shown().is_some()
        {
            known.entry(&answer.order).or_default().push((position.offset.0, answer));
        }
    }
    for read in history.operations() {
        let Action::Get { token: Some(token), .. } = read.action else { continue };
        let Some(shows) = seen(read) else { continue };
        for (at, command) in known.get(&*read.order).into_iter().flatten() {
            if *at <= token.offset.0 && seen(command).is_some_and(|must| must > shows) {
                let what = format!("a token of {token} and {shows:?}, where {at} did more");
                let numbers = [command.number, read.number];
                findings.push(Finding::new(Wrong::Stale, what, numbers));
            }
        }
        if read.position.is_none_or(|position| position < token) {
            let what = format!("a token of {token}, and an answer of {:?}", read.position);
            findings.push(Finding::new(Wrong::Stale, what, [read.number]));
        }
    }
}

/// What a node has shown once, it shows from then on; and what a command's answer says that it shows.
fn nodes(history: &History, findings: &mut Vec<Finding>) {
    let mut by_node = BTreeMap::<u32, Vec<&Operation>>::new();
    let says = |operation: &&Operation| operation.is_answered() && operation.visible;
    for operation in history.operations().filter(says) {
        by_node.entry(operation.node).or_default().push(operation);
    }
    for operations in by_node.into_values() {
        let mut ends = operations.clone();
        ends.sort_by_key(|operation| operation.returned);
        let mut begins = operations;
        begins.sort_by_key(|operation| operation.invoked);
        let mut ended = ends.into_iter().peekable();
        let mut shown = HashMap::<&str, (Seen, u64)>::new();
        let mut furthest = None::<&Operation>;
        for read in begins {
            while let Some(before) = ended.next_if(|it| it.returned < read.invoked) {
                if furthest.is_none_or(|it| it.position < before.position) {
                    furthest = Some(before);
                }
                // A command that is asked again is answered as it was first, with an old order.
                let Some(seen) = seen(before).filter(|_| is_about_one(before)) else { continue };
                let most = shown.entry(&before.order).or_insert((seen, before.number));
                if seen > most.0 {
                    *most = (seen, before.number);
                }
            }
            let Action::Get { level, .. } = read.action else { continue };
            back(read, level, shown.get(&*read.order).copied(), findings);
            if let Some(before) = furthest.filter(|before| before.position > read.position) {
                let what = format!(
                    "node {} was at {:?}, and then at {:?}",
                    read.node, before.position, read.position
                );
                findings.push(Finding::new(Wrong::Stale, what, [before.number, read.number]));
            }
        }
    }
}

fn back(read: &Operation, level: Level, before: Option<(Seen, u64)>, findings: &mut Vec<Finding>) {
    if let (Some((most, number)), Some(now)) = (before, seen(read))
        && now < most
    {
        let what =
            format!("node {} showed {most:?}, and then {now:?} to a {level:?} read", read.node);
        findings.push(Finding::new(Wrong::Stale, what, [number, read.number]));
    }
}

fn is_about_one(operation: &Operation) -> bool {
    !matches!(operation.action, Action::List { .. })
}
