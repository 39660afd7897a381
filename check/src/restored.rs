//! Is everything in a backup that was acknowledged before it was asked for?
//!
//! What a restored cluster says is taken as if the first one had said it while the backup was made.
//! By [`readback`] its lists then have what was acknowledged before, and nothing that was sent only
//! afterwards; by [`once`] they have it once, and a command under a key of before hears its first
//! answer at its first place; by [`answers`] each order looks as it always did.
//!
//! **Does not see** what is in a backup and in no list: orders of customers whom nobody knows.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Action, Finding, History, Operation, Unreadable, Verdict, answers, once, readback};

/// A backup that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its number in its directory, if the node said that it is made.
    pub number: Option<u64>,
    /// Which node was asked.
    pub node: u32,
    /// When, by the clock of the history.
    pub from: u64,
    /// When the node answered, or was waited for no longer.
    pub to: u64,
    /// What came of it, in words.
    pub said: String,
}

/// A backup that was made, and what the cluster says that was restored of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// The backup.
    pub backup: Backup,
    /// What that cluster was asked, and what it answered, by a clock and with numbers of its own.
    pub seen: History,
}

impl Backup {
    /// Reads what was asked for in a run: a backup on each line.
    ///
    /// # Errors
    /// When a line is none.
    pub fn read(text: &str) -> Result<Vec<Self>, Unreadable> {
        let lines = text.lines().enumerate().map(|(number, line)| {
            serde_json::from_str(line).map_err(|source| Unreadable { line: number + 1, source })
        });
        lines.collect()
    }
}

/// Holds what restored clusters say against the history of the first.
pub fn restored(history: &History, all: &[Restored]) -> Verdict {
    let first = history.operations().map(|it| it.number).max().unwrap_or_default() + 1;
    let mut findings = Vec::new();
    for one in all {
        let both = one.within(history, first);
        for verdict in [readback(&both), once(&both), answers(&both)] {
            // The others are of the first cluster alone.
            let own =
                verdict.findings().iter().filter(|it| it.operations.iter().any(|it| *it >= first));
            findings.extend(own.map(|it| Finding {
                what: format!("after restoring {}: {}", one.named(), it.what),
                ..it.clone()
            }));
        }
    }
    match all.iter().find(|one| !one.is_read()) {
        Some(one) if findings.is_empty() => {
            Verdict::Undecided(format!("nothing was read back of {}", one.named()))
        }
        _ => Verdict::of(findings),
    }
}

impl Restored {
    /// The name of the file with what was restored of the backup with this number.
    pub fn file_name(number: u64) -> String {
        format!("restored-{number}.jsonl")
    }

    /// Of which backup a file says something, by its name.
    pub(crate) fn number_of(path: &Path) -> Option<u64> {
        let number = path.file_name()?.to_str()?.strip_prefix("restored-")?;
        number.strip_suffix(".jsonl")?.parse().ok()
    }

    fn named(&self) -> String {
        self.backup.number.map_or("no backup".to_owned(), |number| format!("backup {number}"))
    }

    fn is_read(&self) -> bool {
        let is_list = |it: &Operation| matches!(it.action, Action::List { .. });
        self.seen.operations().any(|it| is_list(it) && it.is_answered())
    }

    /// The history as if all this had been seen while the backup was made; its numbers are from
    /// `first` on.
    fn within(&self, history: &History, first: u64) -> History {
        let incarnation = history.operations().find_map(|it| Some(it.position?.incarnation));
        let moved = self.seen.operations().map(|seen| {
            let mut moved = seen.clone();
            moved.number += first;
            (moved.invoked, moved.returned) = (self.backup.from, self.backup.to);
            if let (Some(position), Some(incarnation)) = (&mut moved.position, incarnation) {
                // A restored journal is another life, in which places stay what they were.
                position.incarnation = incarnation;
            }
            moved
        });
        history.operations().cloned().chain(moved).collect()
    }
}
