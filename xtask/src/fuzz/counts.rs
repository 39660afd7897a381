use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::trial::Trial;

/// What all runs together have tried, as `RELIABILITY.md` shows it.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    /// How many there were at the last run.
    targets: u64,
    inputs: u64,
    /// Of all targets together.
    seconds: u64,
}

/// Adds a trial to what is in `file`, if there is such a file.
pub(super) fn add(file: &Path, targets: usize, trial: &Trial) -> Result<()> {
    let named = || file.display().to_string();
    let mut counts: Counts = match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).with_context(named)?,
        Err(_) => Counts::default(),
    };
    counts.targets = targets as u64;
    counts.inputs += trial.tried;
    counts.seconds += trial.took.as_secs();
    let text = serde_json::to_string_pretty(&counts).context("counts are numbers")?;
    fs::write(file, text + "\n").with_context(named)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_tried_adds_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("fuzz.json");
        let trial =
            |tried| Trial { tried, took: Duration::from_secs(3), found: None, said: String::new() };
        add(&file, 40, &trial(10)).expect("added");
        add(&file, 41, &trial(5)).expect("added");
        let counts: Counts =
            serde_json::from_slice(&fs::read(&file).expect("there")).expect("as it was written");
        assert_eq!(counts, Counts { targets: 41, inputs: 15, seconds: 6 });
    }
}
