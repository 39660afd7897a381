//! I5: an answer is that of its own request.
//!
//! *Source.* Jepsen on Redis-Raft (2020): answers went to other clients. *Observed:* each command
//! names what no other does, and the answer must name it as well; no command is refused for a reason
//! that it cannot have. *When:* at every answer to a command.

use std::fmt::Debug;

use super::Invariant;
use crate::Violation;
use crate::ledger::Known;

/// The answer to `action` names what that named.
pub(crate) fn is_own(
    known: &mut Known,
    action: &impl Debug,
    is_own: bool,
    answer: &impl Debug,
) -> Result<(), Violation> {
    known.exercised.evaluated.count(Invariant::Replies);
    match is_own {
        true => Ok(()),
        false => Err(Invariant::Replies.broken(format!("{action:?} was answered {answer:?}"))),
    }
}
