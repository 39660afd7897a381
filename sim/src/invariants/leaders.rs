//! I13, leaders: of each term the entries of one leader are committed, and a leader that restarts
//! does not lead on.
//!
//! *Source.* Election safety in the Raft paper. openraft elects by votes of (term, node), of which
//! one with a higher node supersedes another of the same term: so two may win in a term, the second
//! before the first has an entry on a majority, and never after. What Raft's safety needs of that is
//! that no two of them *commit* in one term, and that each vote is that of one life of one process:
//! one that restarts has lost what it had not synced. *Observed:* who says that it leads, in which
//! term and in which life; and who put each entry that is applied into the log, under which term.
//! *When:* each tick, and at each entry that is applied.

use std::collections::BTreeMap;

use super::{Evaluations, Invariant};
use crate::Violation;

/// Who was seen to lead.
#[derive(Debug, Default)]
pub(crate) struct Leaders {
    /// By term and node, in which life of it.
    lives: BTreeMap<(u64, usize), u64>,
    /// By term, whose entries were applied.
    committed: BTreeMap<u64, String>,
}

impl Leaders {
    /// Node `number` says in its life numbered `life` that it leads in `term`.
    pub(crate) fn look(
        &mut self,
        number: usize,
        life: u64,
        term: u64,
        evaluated: &mut Evaluations,
    ) -> Result<(), Violation> {
        evaluated.count(Invariant::Members);
        let known = *self.lives.entry((term, number)).or_insert(life);
        match known == life {
            true => Ok(()),
            false => {
                let name = number + 1;
                let what = format!("node{name} leads on in term {term} after a restart");
                Err(Invariant::Members.broken(what))
            }
        }
    }

    /// An entry that the node called `name` put into the log under `term` was applied.
    pub(crate) fn committed(
        &mut self,
        name: &str,
        term: u64,
        evaluated: &mut Evaluations,
    ) -> Result<(), Violation> {
        evaluated.count(Invariant::Members);
        let known = self.committed.entry(term).or_insert_with(|| name.to_owned());
        match known == name {
            true => Ok(()),
            false => {
                let what = format!("{known} and {name} both committed in term {term}");
                Err(Invariant::Members.broken(what))
            }
        }
    }

    /// How many leaderships there were.
    pub(crate) fn len(&self) -> u64 {
        self.lives.len() as u64
    }
}
