//! I2: an effect counts once, however often its command is sent, and every answer to it is the same.
//!
//! *Source.* FoundationDB's `commit_unknown_result`, after which increments ran twice; Jepsen on
//! Redpanda 21.10 (duplicates although writes were idempotent). *Observed:* clients send again what
//! was not answered, and now and then what was, under the same key to any node; no order is shown or
//! created twice, and no answer differs from an earlier one. In some runs keys are remembered for seconds:
//! there a client comes back late, and each second effect under its key takes a whole retention; and of all
//! entries that were applied none has an id that counted before, nor a key that is remembered, and what
//! is taken for the same has one of both. *When:* at every answer; of entries, of what nodes show and of
//! their histories at the end, of a lone node at every start.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use catga_core::{MessageId, Offset, RecordedEvent, SessionId};
use catga_engine::{Effect, OutsideKey, Verdict};
use order_cluster::order::Order;

use super::{Evaluations, Invariant};
use crate::Violation;
use crate::ledger::Known;

/// No order is there twice.
pub(crate) fn is_shown_once(known: &mut Known, shown: &[Order]) -> Result<(), Violation> {
    known.exercised.evaluated.count(Invariant::Once);
    let mut seen = BTreeSet::new();
    match shown.iter().find(|order| !seen.insert(&order.product_id)) {
        Some(order) => {
            Err(Invariant::Once.broken(format!("order {} is there twice", order.product_id)))
        }
        None => Ok(()),
    }
}

/// The creation of an order is the first event of its stream.
pub(crate) fn is_created_once(event: &RecordedEvent) -> Result<(), Violation> {
    match event.name.as_ref() == "order.created" && event.meta.version != 1 {
        true => Err(Invariant::Once.broken(format!("{:?} is created twice", event.meta.stream))),
        false => Ok(()),
    }
}

/// A command that was answered before is answered so again. True if it was not.
pub(crate) fn is_the_same<T: Debug + PartialEq>(
    known: &mut Known,
    action: &impl Debug,
    before: Option<&T>,
    answer: &T,
) -> Result<bool, Violation> {
    known.exercised.evaluated.count(Invariant::Once);
    match before {
        Some(before) if before != answer => {
            let what = format!("{action:?} was answered {before:?}, then {answer:?}");
            Err(Invariant::Once.broken(what))
        }
        before => Ok(before.is_none()),
    }
}

/// All that was `answered` under one key since it was first sent are `answered - 1` retentions apart at
/// least.
pub(crate) fn is_remembered(
    known: &mut Known,
    key: &str,
    answered: u32,
    since: Duration,
    retention: Duration,
) -> Result<(), Violation> {
    known.exercised.evaluated.count(Invariant::Once);
    match since < retention * answered.saturating_sub(1) {
        true => {
            let what = format!("{key} counted {answered} times in {since:?}");
            Err(Invariant::Once.broken(what))
        }
        false => Ok(()),
    }
}

/// Under which ids and keys effects have counted, noted plainly.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// By id, but for those that opened a session.
    ids: BTreeMap<MessageId, Offset>,
    /// The last effect of each key, and its journal time.
    keys: BTreeMap<OutsideKey, (Offset, u64)>,
    /// How many keys counted again once they were forgotten.
    pub(crate) again: u64,
}

impl Counted {
    /// `verdict` on `effect` at a journal time is one that what counted before allows.
    pub(crate) fn judge(
        &mut self,
        effect: &Effect,
        verdict: Verdict,
        time_ms: u64,
        retention_ms: u64,
        evaluated: &mut Evaluations,
    ) -> Result<(), Violation> {
        let known = effect.key.as_ref().and_then(|key| self.keys.get(key));
        let remembered = known.filter(|(_, since_ms)| time_ms - since_ms < retention_ms);
        let by_key = remembered.map(|(offset, _)| *offset);
        let by_id = self.ids.get(&effect.id).copied();
        let is_right = match verdict {
            Verdict::Counted { .. } => by_id.is_none() && by_key.is_none(),
            Verdict::Duplicate { of } => {
                opens_session(effect) || [by_id, by_key].contains(&Some(of))
            }
            _ => true,
        };
        evaluated.count(Invariant::Once);
        if !is_right {
            let (id, key) = (effect.id, &effect.key);
            let what =
                format!("{id:?} under {key:?} is {verdict:?}; {by_id:?} and {by_key:?} were");
            return Err(Invariant::Once.broken(what));
        }
        if let Verdict::Counted { offset } = verdict {
            self.again += u64::from(known.is_some());
            if !opens_session(effect) {
                self.ids.insert(effect.id, offset);
            }
            if let Some(key) = &effect.key {
                self.keys.insert(key.clone(), (offset, time_ms));
            }
        }
        Ok(())
    }
}

fn opens_session(effect: &Effect) -> bool {
    effect.id.session == SessionId(0)
}
