use std::collections::BTreeMap;

use super::placed::Placed;
use crate::{Finding, Refusal, Wrong};

/// What an order is while its commands are done one after the other. None: nobody knows, because a
/// command has no place and may have been here.
#[derive(Clone, Copy, Debug, Default)]
struct Replayed {
    created: bool,
    cancelled: bool,
}

/// Does all commands in the order of their places, and compares what each must have got.
pub(super) fn check(placed: &[Placed<'_>], has_journals: bool, findings: &mut Vec<Finding>) {
    let mut orders = BTreeMap::<&str, Replayed>::new();
    let mut doubts = BTreeMap::<&str, Replayed>::new();
    for one in placed.iter().filter(|one| one.at.is_none()) {
        // With the journals at hand there is no doubt: what they do not hold never happened.
        if !has_journals && one.effect.may_count() {
            let doubt = doubts.entry(&one.effect.first().order).or_default();
            match one.effect.is_create() {
                true => doubt.created = true,
                false => doubt.cancelled = true,
            }
        }
    }
    for one in placed.iter().filter(|one| one.at.is_some()) {
        let order = &*one.effect.first().order;
        let doubt = doubts.get(order).copied().unwrap_or_default();
        let state = orders.entry(order).or_default();
        if let Some(why) = one.step(state, doubt) {
            let at = one.at.unwrap_or_default();
            let what = format!("at {at}, {:?}: {why}", one.effect.first().action);
            findings.push(Finding::new(Wrong::WrongState, what, one.effect.numbers()));
        }
    }
}

impl Placed<'_> {
    /// Does the command; why its answer is not what it must be.
    fn step(&self, order: &mut Replayed, doubt: Replayed) -> Option<String> {
        let answer = self.effect.answer();
        let refused = answer.and_then(|answer| answer.refusal()).map(|refusal| &*refusal.code);
        let was = *order;
        if self.effect.is_create() {
            order.created = true;
            return match refused {
                Some(code) => Some(format!("it was refused: {code}")),
                None if was.created => Some("the order was there already".to_owned()),
                None => None,
            };
        }
        match refused {
            None => {
                order.cancelled = true;
                if was.cancelled {
                    return Some("it was cancelled before".to_owned());
                }
                (!was.created && !doubt.created).then(|| "it was not placed yet".to_owned())
            }
            Some(Refusal::CANCELLED) => (!was.cancelled && !doubt.cancelled)
                .then(|| "it was refused, and nobody had cancelled the order".to_owned()),
            Some(Refusal::NOT_FOUND) => {
                was.created.then(|| "it was refused, and the order was there".to_owned())
            }
            Some(code) => Some(format!("it was refused: {code}")),
        }
    }
}
