use super::placed::Placed;
use crate::{Finding, History, Wrong};

/// What somebody was told has an earlier place than what was asked for afterwards.
pub(super) fn check(history: &History, placed: &[Placed<'_>], findings: &mut Vec<Finding>) {
    // Everybody who was told a place, command or read: at that time it had been reached.
    let mut told: Vec<_> = history
        .operations()
        .filter(|operation| operation.is_answered())
        .filter_map(|operation| Some((operation.position?.offset.0, operation)))
        .collect();
    told.sort_by_key(|(at, _)| *at);
    let mut commands = placed.iter().filter_map(|one| Some((one.at?, one.effect))).peekable();
    // Of all commands with an earlier place: the one that was asked for last.
    let mut latest = None::<(u64, u64)>;
    for (at, operation) in told {
        while let Some((_, effect)) = commands.next_if(|(place, _)| *place <= at) {
            // Its own answers say nothing about it.
            let asked = (effect.invoked(), effect.first().number);
            latest = latest.max(Some(asked));
        }
        if let Some((invoked, number)) = latest.filter(|(invoked, _)| *invoked > operation.returned)
        {
            let what = format!(
                "place {at} was told at {}, and a command that was sent at {invoked} has none \
                 later",
                operation.returned
            );
            findings.push(Finding::new(Wrong::OutOfOrder, what, [operation.number, number]));
        }
    }
}
