use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{History, Journal, Verdict, answers, linearizable, once, readback, session, witness};

/// All that is known of a run: what clients saw, and what each node has recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// What clients saw.
    pub history: History,
    /// What the nodes have recorded, once all was over.
    pub journals: Vec<Journal>,
}

/// The name of the file with the history of a run.
pub const HISTORY: &str = "history.jsonl";
/// What the files with journals begin with; the node's name follows.
pub const JOURNAL: &str = "journal-";

impl Case {
    /// Reads a run from its directory, or from the files of one: a history, and journals.
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
        let mut case = Self::default();
        for file in files {
            let read = || format!("read {}", file.display());
            let text = fs::read_to_string(&file).with_context(read)?;
            match node_of(&file) {
                Some(node) => {
                    case.journals.push(Journal::read(node, &text).with_context(read)?);
                }
                None => {
                    let history = History::read(&text).with_context(read)?;
                    if !case.history.is_empty() {
                        bail!("{} is a second history", file.display());
                    }
                    case.history = history;
                }
            }
        }
        if case.history.is_empty() {
            bail!("there is no history, or nothing in it");
        }
        Ok(case)
    }

    /// What each checker says, by its name.
    pub fn judge(&self) -> Vec<(&'static str, Verdict)> {
        let history = &self.history;
        vec![
            ("witness", witness(history, &self.journals)),
            ("linearizable", linearizable(history)),
            ("session", session(history)),
            ("once", once(history)),
            ("answers", answers(history)),
            ("readback", readback(history)),
        ]
    }
}

/// The files of a run that are judged, in an order that is always the same.
fn files_of(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.ends_with(HISTORY) || node_of(&path).is_some() {
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
