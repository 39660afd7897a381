use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{
    Backup, History, Journal, Restored, Verdict, answers, linearizable, once, readback, restored,
    session, witness,
};

/// All that is known of a run: what clients saw, and what each node has recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// What clients saw.
    pub history: History,
    /// What the nodes have recorded, once all was over.
    pub journals: Vec<Journal>,
    /// What was restored of backups that were made meanwhile.
    pub restored: Vec<Restored>,
}

/// The name of the file with the history of a run.
pub const HISTORY: &str = "history.jsonl";
/// What the files with journals begin with; the node's name follows.
pub const JOURNAL: &str = "journal-";
/// The name of the file with the backups of a run.
pub const BACKUPS: &str = "backups.jsonl";

impl Case {
    /// Reads a run from its directory, or from the files of one: a history, journals, backups and
    /// what was restored of them.
    ///
    /// # Errors
    /// When one cannot be read, or there is no history.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            match path.is_dir() {
                true => files.extend(files_of(path)?),
                false => files.push(path.clone()),
            }
        }
        let (mut case, mut backups, mut seen) = (Self::default(), Vec::new(), Vec::new());
        for file in files {
            let read = || format!("read {}", file.display());
            let text = fs::read_to_string(&file).with_context(read)?;
            if file.ends_with(BACKUPS) {
                backups.extend(Backup::read(&text).with_context(read)?);
            } else if let Some(number) = Restored::number_of(&file) {
                seen.push((number, History::read(&text).with_context(read)?));
            } else if let Some(node) = node_of(&file) {
                case.journals.push(Journal::read(node, &text).with_context(read)?);
            } else {
                let history = History::read(&text).with_context(read)?;
                if !case.history.is_empty() {
                    bail!("{} is a second history", file.display());
                }
                case.history = history;
            }
        }
        if case.history.is_empty() {
            bail!("there is no history, or nothing in it");
        }
        for (number, seen) in seen {
            let backup = backups.iter().find(|backup| backup.number == Some(number)).cloned();
            let backup = backup.with_context(|| format!("{BACKUPS} has no backup {number}"))?;
            case.restored.push(Restored { backup, seen });
        }
        Ok(case)
    }

    /// What each checker says, by its name.
    pub fn judge(&self) -> Vec<(&'static str, Verdict)> {
        let history = &self.history;
        let mut verdicts = vec![
            ("witness", witness(history, &self.journals)),
            ("linearizable", linearizable(history)),
            ("session", session(history)),
            ("once", once(history)),
            ("answers", answers(history)),
            ("readback", readback(history)),
        ];
        // Not every run has backups.
        if !self.restored.is_empty() {
            verdicts.push(("restored", restored(history, &self.restored)));
        }
        verdicts
    }
}

/// The files of a run that are judged, in an order that is always the same.
fn files_of(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_named = path.ends_with(HISTORY) || path.ends_with(BACKUPS);
        if is_named || node_of(&path).is_some() || Restored::number_of(&path).is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whose journal a file holds, by its name.
fn node_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    Some(name.strip_prefix(JOURNAL)?.strip_suffix(".jsonl")?.to_owned())
}
