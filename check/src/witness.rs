//! Do the positions that the service names explain everything?
//!
//! The service says itself in which order it did things, so that nothing has to be searched: each
//! answer carries its place in the journal. What must hold then is checked in one sorted pass, over
//! a history of any length. Checking with a known order of the effects is Gibbons and Korach,
//! "Testing shared memories" (SIAM J. Comput. 1997); that the service itself names it is how
//! FoundationDB and etcd check their revisions.
//!
//! 1. Every answered command has a place, and each has its own.
//! 2. What was answered before another was asked for has the earlier place.
//! 3. A read shows what its order was at a place between the least that it must show and the place
//!    that it names.
//! 4. Done in the order of the places, the commands have exactly the answers that they got.
//! 5. Every node's journal holds exactly that, and the same as the others.
//!
//! **Does not see** a service that lies in its positions and its journals alike; reads that show
//! something older than another read before them (the black box does); anything of one whose place
//! is not known, if there are no journals.

mod placed;
mod reads;
mod records;
mod replay;
mod times;

use crate::effect::effects;
use crate::{Finding, History, Journal, Verdict, Wrong};

/// Holds a history against the positions in it, and against the journals of all nodes.
pub fn witness(history: &History, journals: &[Journal]) -> Verdict {
    let mut findings = Vec::new();
    if let Err(finding) = one_incarnation(history) {
        return Verdict::Violated(vec![finding]);
    }
    let effects = effects(history);
    let placed = placed::place(&effects, journals.first(), &mut findings);
    times::check(history, &placed, &mut findings);
    reads::check(history, &placed, !journals.is_empty(), &mut findings);
    replay::check(&placed, !journals.is_empty(), &mut findings);
    records::check(&placed, journals, &mut findings);
    Verdict::of(findings)
}

/// Positions of two incarnations must not be compared, and none of these journals may begin anew.
fn one_incarnation(history: &History) -> Result<(), Finding> {
    let mut first = None;
    for operation in history.operations() {
        let Some(position) = operation.position else { continue };
        let (incarnation, number) = *first.get_or_insert((position.incarnation, operation.number));
        if position.incarnation != incarnation {
            let what = format!("two incarnations: {incarnation:x} and {:x}", position.incarnation);
            return Err(Finding::new(Wrong::OutOfOrder, what, [number, operation.number]));
        }
    }
    Ok(())
}
