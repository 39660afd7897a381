use std::collections::BTreeMap;

use catga_core::Position;

use crate::journal::Mark;
use crate::{Action, History, Operation, Outcome};

/// A command: all attempts under one key, or one without a key.
#[derive(Clone, Debug)]
pub(crate) struct Effect<'a> {
    /// In the order in which they were sent.
    pub(crate) attempts: Vec<&'a Operation>,
}

/// All commands of a history.
pub(crate) fn effects(history: &History) -> Vec<Effect<'_>> {
    let mut keyed = BTreeMap::<&str, Vec<&Operation>>::new();
    let mut effects = Vec::new();
    for operation in history.operations().filter(|operation| operation.is_command()) {
        match &operation.key {
            Some(key) => keyed.entry(key).or_default().push(operation),
            None => effects.push(Effect { attempts: vec![operation] }),
        }
    }
    effects.extend(keyed.into_values().map(|attempts| Effect { attempts }));
    for effect in &mut effects {
        effect.attempts.sort_by_key(|operation| operation.invoked);
    }
    effects
}

impl<'a> Effect<'a> {
    pub(crate) fn first(&self) -> &'a Operation {
        self.attempts[0]
    }

    /// Every attempt that was answered.
    pub(crate) fn answered(&self) -> impl Iterator<Item = &'a Operation> {
        self.attempts.iter().copied().filter(|operation| operation.is_answered())
    }

    /// The first answer that anybody heard.
    pub(crate) fn answer(&self) -> Option<&'a Operation> {
        self.answered().min_by_key(|operation| operation.returned)
    }

    /// Where it counted, as its answers say.
    pub(crate) fn position(&self) -> Option<Position> {
        self.answer()?.position
    }

    /// True if it can have had its effect: an attempt that was proved not to have run cannot.
    pub(crate) fn may_count(&self) -> bool {
        self.attempts.iter().any(|operation| operation.outcome != Outcome::NotExecuted)
    }

    /// When it was sent first, of the attempts that can have had an effect.
    pub(crate) fn invoked(&self) -> u64 {
        let can = self.attempts.iter().filter(|it| it.outcome != Outcome::NotExecuted);
        can.map(|operation| operation.invoked).min().unwrap_or(self.first().invoked)
    }

    /// What it is known by in a journal.
    pub(crate) fn mark(&self) -> Mark<'a> {
        let first = self.first();
        match &first.action {
            Action::Cancel { reason, .. } => Mark::Cancelled(reason),
            _ => Mark::Created(&first.order),
        }
    }

    pub(crate) fn is_create(&self) -> bool {
        matches!(self.first().action, Action::Create { .. })
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.attempts.iter().map(|operation| operation.number).collect()
    }
}
