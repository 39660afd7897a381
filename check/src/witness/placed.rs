use std::collections::HashMap;

use crate::effect::Effect;
use crate::{Finding, Journal, Wrong};

/// A command and its place in the journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'a> {
    pub(super) effect: &'a Effect<'a>,
    /// Where it counted: as it was answered, or as the journal has it. None if nobody knows.
    pub(super) at: Option<u64>,
}

/// Finds the place of each command, in the order of the places; those without one are last.
pub(super) fn place<'a>(
    effects: &'a [Effect<'a>],
    journal: Option<&Journal>,
    findings: &mut Vec<Finding>,
) -> Vec<Placed<'a>> {
    let recorded = journal.map(Journal::placed).unwrap_or_default();
    let mut taken = HashMap::new();
    let mut placed = Vec::with_capacity(effects.len());
    for effect in effects {
        let answered = effect.position().map(|position| position.offset.0);
        let at = answered.or_else(|| recorded.get(&effect.mark())?.first().copied());
        if let Some(answer) = effect.answered().find(|answer| answer.position.is_none()) {
            let what = format!("{:?} was answered without a position", answer.action);
            findings.push(Finding::new(Wrong::OutOfOrder, what, [answer.number]));
        }
        if let Some(at) = at
            && let Some(other) = taken.insert(at, effect.first().number)
        {
            let what = format!("two commands have place {at}");
            findings.push(Finding::new(Wrong::OutOfOrder, what, [other, effect.first().number]));
        }
        placed.push(Placed { effect, at });
    }
    placed.sort_by_key(|one| one.at.unwrap_or(u64::MAX));
    placed
}
