//! I13, members: a node that was removed serves no linearizable read and goes on no more, and a
//! change of voters is finished.
//!
//! *Source.* RethinkDB 2.2.3 (split brain while the members change); the joint configurations of the
//! Raft paper, section 6. *Observed:* a member is taken out, dead or alive. From when that was
//! acknowledged it is asked to read linearizably until its process ends, which it has to by itself.
//! *When:* at every such read, when the process ends, and at the end, when no node may say that a
//! change is half done and all must name the same members.

use std::time::Duration;

use super::{Evaluations, Invariant};
use crate::Violation;

/// How long a node that was taken out alive may go on. It asks once a second; but links may be cut, and
/// while two voters are left without each other nobody leads who could tell it. So it is longer than
/// the faults of a run, after which it is told soon.
const NOTICE_WAIT: Duration = Duration::from_secs(20);

/// A read of a node that was taken out `since` ended, with an answer or without.
pub(crate) fn serves_reads(
    name: &str,
    is_answered: bool,
    evaluated: &mut Evaluations,
) -> Result<(), Violation> {
    evaluated.count(Invariant::Members);
    match is_answered {
        true => {
            let what = format!("{name} answered a linearizable read although it was removed");
            Err(Invariant::Members.broken(what))
        }
        false => Ok(()),
    }
}

/// A node that was taken out has been going on for so long.
pub(crate) fn serves_on(
    name: &str,
    since: Duration,
    evaluated: &mut Evaluations,
) -> Result<(), Violation> {
    evaluated.count(Invariant::Members);
    match since > NOTICE_WAIT {
        true => Err(Invariant::Members.broken(format!("{name} goes on although it was removed"))),
        false => Ok(()),
    }
}

/// What the nodes say of their members, each with whether a change is half done: true if none is and
/// all say the same.
pub(crate) fn is_settled(seen: &[(bool, Vec<String>)], evaluated: &mut Evaluations) -> bool {
    evaluated.count(Invariant::Members);
    seen.iter().all(|(is_changing, _)| !is_changing)
        && seen.iter().all(|(_, members)| *members == seen[0].1)
}
