//! I17: what user code does harms nobody else. A handler that panics or never ends, a fold or a
//! subscriber that panics: the node goes on, the next command runs, and what is documented comes of
//! it.
//!
//! *Source.* Armstrong, "Making reliable distributed systems in the presence of software errors"
//! (2003): what fails does so alone. *Observed:* a service whose code misbehaves, at a low rate in
//! the load of every run ([`Unruly`](crate::unruly::Unruly)). A handler that panics is answered
//! `panicked`, which proves that nothing was executed; one that never ends is answered when its
//! deadline is over; a retry of one that panicked once runs, and is answered. A projection whose fold
//! panics is quarantined and the others go on, and so are the events behind one that a subscriber
//! cannot take, which becomes a dead letter. *When:* at every answer; at the end once more at each
//! node, where the answers must be exactly those.

use catga::{Answer, Failure, FaultCode, Outcome};

use super::Invariant;
use crate::Violation;
use crate::ledger::Known;
use crate::unruly::{Act, Deed};

/// What came of a command that has the service misbehave.
pub(crate) struct Misdeed<'a> {
    pub(crate) act: &'a Act,
    pub(crate) answer: &'a Answer<String>,
    /// Nothing is wrong but the code of the service.
    pub(crate) is_calm: bool,
}

/// True if the answer leaves nothing open: a handler that panicked did nothing. Where a request was
/// lost on its way before, with a connection that was made anew, the node that sent it again cannot
/// know that.
pub(crate) fn is_certain(answer: &Answer<String>) -> bool {
    match answer {
        Err(Failure::Fault(fault)) if fault.code() == FaultCode::Panicked => {
            fault.outcome() == Outcome::NotExecuted
        }
        _ => true,
    }
}

/// The answer is one that is documented.
pub(crate) fn is_isolated(known: &mut Known, misdeed: &Misdeed<'_>) -> Result<(), Violation> {
    known.exercised.evaluated.count(Invariant::Isolation);
    let Misdeed { act, answer, is_calm } = misdeed;
    let is_documented = match (act.deed, answer) {
        (Deed::Panic | Deed::Stay, Ok(_)) => false,
        (_, Ok(reply)) => *reply == act.nonce,
        (deed, Err(Failure::Fault(fault))) => {
            let panics = matches!(deed, Deed::Panic | Deed::PanicOnce);
            match fault.code() {
                FaultCode::Panicked => panics,
                FaultCode::DeadlineBeforeStart | FaultCode::DeadlineInDoubt => {
                    deed == Deed::Stay || !is_calm
                }
                _ => !is_calm,
            }
        }
        (_, Err(_)) => false,
    };
    match is_documented {
        true => Ok(()),
        false => {
            let when = if *is_calm { " although nothing else is wrong" } else { "" };
            Err(Invariant::Isolation.broken(format!("{act:?} was answered {answer:?}{when}")))
        }
    }
}
