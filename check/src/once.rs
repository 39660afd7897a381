//! Does each key have one answer, and one effect?
//!
//! After "Exactly-once effect" of the design: of an id the first effect counts, and whoever asks
//! again hears its answer (as Lee et al., "Implementing linearizability at large scale and low
//! latency", SOSP 2015, ask of RPCs).
//!
//! **Does not see** a second effect that no answer and no list shows; the witness does, by the
//! journals. Nor whether the one answer is right.

use std::collections::HashMap;

use crate::effect::{Effect, effects};
use crate::{Action, Finding, History, Outcome, Reply, Status, Verdict, Wrong};

/// Compares all answers to each key, and what they say was made.
pub fn once(history: &History) -> Verdict {
    let effects = effects(history);
    let mut findings = Vec::new();
    for effect in &effects {
        one_answer(effect, &mut findings);
    }
    one_order_each(&effects, &mut findings);
    one_cancel_each(&effects, &mut findings);
    no_order_twice(history, &mut findings);
    Verdict::of(findings)
}

fn one_answer(effect: &Effect<'_>, findings: &mut Vec<Finding>) {
    let Some(first) = effect.answer() else { return };
    for other in effect.answered() {
        let numbers = [first.number, other.number];
        if other.outcome != first.outcome {
            let what = format!(
                "key {:?} was answered {:?} and {:?}",
                first.key, first.outcome, other.outcome
            );
            findings.push(Finding::new(Wrong::TwoAnswers, what, numbers));
        } else if other.position != first.position {
            let what = format!(
                "key {:?} counted at {:?} and at {:?}",
                first.key, first.position, other.position
            );
            findings.push(Finding::new(Wrong::Doubled, what, numbers));
        }
        if other.action != first.action {
            let what = format!("key {:?} was used for two commands, and both passed", first.key);
            findings.push(Finding::new(Wrong::WrongReply, what, numbers));
        }
    }
}

/// No two keys got one order, and no key got two.
fn one_order_each(effects: &[Effect<'_>], findings: &mut Vec<Finding>) {
    let mut ids = HashMap::new();
    for effect in effects.iter().filter(|effect| effect.is_create()) {
        for operation in effect.answered() {
            let Some(shown) = operation.shown() else { continue };
            let first = *ids.entry(&shown.order_id).or_insert(operation);
            if (&first.key, &first.order) != (&operation.key, &operation.order) {
                let what = format!("order {} was given to two commands", shown.order_id);
                let numbers = [first.number, operation.number];
                findings.push(Finding::new(Wrong::WrongReply, what, numbers));
            }
        }
    }
}

fn one_cancel_each(effects: &[Effect<'_>], findings: &mut Vec<Finding>) {
    let mut cancelled = HashMap::new();
    for effect in effects.iter().filter(|effect| !effect.is_create()) {
        let Some(done) = effect.answered().find(|operation| operation.shown().is_some()) else {
            continue;
        };
        if let Some(first) = cancelled.insert(&done.order, done.number) {
            let what = format!("order {} was cancelled by two commands", done.order);
            findings.push(Finding::new(Wrong::Doubled, what, [first, done.number]));
        }
    }
}

/// No list shows a product twice: each was ordered under one key.
fn no_order_twice(history: &History, findings: &mut Vec<Finding>) {
    for operation in history.operations() {
        let Outcome::Ok(Reply::Orders(orders)) = &operation.outcome else { continue };
        let mut seen = HashMap::new();
        for order in orders {
            if let Some(first) = seen.insert(&order.product_id, &order.order_id) {
                let product = &order.product_id;
                let what = format!("product {product} is there as {first} and {}", order.order_id);
                findings.push(Finding::new(Wrong::Doubled, what, [operation.number]));
            }
        }
        debug_assert!(matches!(operation.action, Action::List { .. }));
    }
    // An order whose creation was answered as cancelled was made by somebody else.
    for operation in history.operations() {
        if let (Action::Create { .. }, Some(shown)) = (&operation.action, operation.shown())
            && shown.status == Status::Cancelled
        {
            let what = format!("order {} was cancelled when it was placed", operation.order);
            findings.push(Finding::new(Wrong::TwoAnswers, what, [operation.number]));
        }
    }
}
