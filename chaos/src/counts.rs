use std::collections::BTreeSet;
use std::fs;
use std::ops::AddAssign;
use std::path::Path;

use anyhow::{Context, Result};
use catga_check::{Case, Outcome, Verdict, Wrong};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::nemesis::Nemesis;
use crate::schedule::Happened;

/// What runs went through, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Counts {
    /// Runs that came to a verdict.
    pub runs: u64,
    /// Seconds with faults.
    pub seconds: u64,
    /// Those of them that three nodes went through.
    pub seconds_of_three_nodes: u64,
    /// Those of them that five nodes went through.
    pub seconds_of_five_nodes: u64,
    /// Requests.
    pub operations: u64,
    /// Commands that were acknowledged, refusals not counted.
    pub acknowledged: u64,
    /// Refusals.
    pub refused: u64,
    /// Requests that were proved not to have run.
    pub not_executed: u64,
    /// Commands of which nobody knows what became of them.
    pub unknown: u64,
    /// Requests under a key that had been sent before.
    pub repeated: u64,
    /// Leaders that were killed.
    pub leader_kills: u64,
    /// Others that were killed alone.
    pub follower_kills: u64,
    /// Kills of more than half at once.
    pub majority_kills: u64,
    /// Kills of all at once.
    pub all_kills: u64,
    /// Kills of one that was asked for a backup just now.
    pub kills_at_backups: u64,
    /// Processes that stood still.
    pub pauses: u64,
    /// Nodes that were cut off both ways.
    pub partitions: u64,
    /// Cuts one way.
    pub one_way_cuts: u64,
    /// Nodes that were cut off and came back again and again.
    pub flaps: u64,
    /// Links that were late or dribbled.
    pub slow_links: u64,
    /// Connections that broke.
    pub resets: u64,
    /// Disks without room.
    pub full_disks: u64,
    /// Nodes whose power was cut alone.
    pub power_cuts: u64,
    /// Times when the power of all was cut at once.
    pub power_cuts_of_all: u64,
    /// Orderly stops.
    pub stops: u64,
    /// Rolling restarts.
    pub rolling_restarts: u64,
    /// Members that were taken out and came back as new ones.
    pub replaced_members: u64,
    /// Backups that a node said it has made.
    pub backups: u64,
    /// Backups that were asked for, and of which nobody said that they are made.
    pub backups_failed: u64,
    /// Backups that were restored into new clusters.
    pub restores: u64,
    /// Terms that had begun when all was over: each was an election.
    pub terms: u64,
    /// The longest time in one run from the end of the last fault until a command was acknowledged.
    pub longest_recovery_ms: u64,
    /// The longest time without an acknowledgement while there were faults.
    pub longest_silence_ms: u64,
    /// Acknowledged commands that are not there.
    pub lost: u64,
    /// Commands that had two effects.
    pub doubled: u64,
    /// Reads that showed less than they must.
    pub stale: u64,
    /// Answers that no order of the operations explains.
    pub not_linearizable: u64,
    /// Answers to something else than what was asked, and others than were given before.
    pub wrong_replies: u64,
    /// All findings.
    pub violations: u64,
    /// Checkers that could not decide.
    pub undecided: u64,
}

impl Counts {
    pub(crate) fn of(case: &Case, verdicts: &[(&str, Verdict)], happened: &Happened) -> Self {
        let mut counts = Self { runs: 1, ..Self::default() };
        for operation in case.history.operations() {
            counts.operations += 1;
            counts.repeated += u64::from(operation.attempt > 1);
            match &operation.outcome {
                Outcome::Ok(_) => counts.acknowledged += u64::from(operation.is_command()),
                Outcome::Refused(_) => counts.refused += 1,
                Outcome::NotExecuted => counts.not_executed += 1,
                Outcome::Unknown => counts.unknown += u64::from(operation.is_command()),
            }
        }
        let count = |kinds: &[Nemesis]| {
            kinds.iter().filter_map(|kind| happened.installed.get(kind)).sum::<u64>()
        };
        counts.leader_kills = count(&[Nemesis::KillLeader]);
        counts.follower_kills = count(&[Nemesis::KillFollower]);
        counts.majority_kills = count(&[Nemesis::KillMajority]);
        counts.all_kills = count(&[Nemesis::KillAll]);
        counts.kills_at_backups = count(&[Nemesis::KillAtBackup]);
        counts.pauses = count(&[Nemesis::PauseLeader, Nemesis::PauseAny]);
        counts.partitions = count(&[Nemesis::LeaderInMinority, Nemesis::LeaderInMajority]);
        counts.one_way_cuts = count(&[Nemesis::LeaderMute, Nemesis::LeaderDeaf, Nemesis::OneWay]);
        counts.flaps = count(&[Nemesis::Flap]);
        counts.slow_links = count(&[Nemesis::LateLinks, Nemesis::Dribble]);
        counts.resets = count(&[Nemesis::Resets]);
        counts.full_disks = count(&[Nemesis::FullDisk]);
        counts.power_cuts = count(&[Nemesis::PowerCut]);
        counts.power_cuts_of_all = count(&[Nemesis::PowerCutAll]);
        counts.stops = count(&[Nemesis::Stop]);
        counts.rolling_restarts = count(&[Nemesis::RollingRestart]);
        counts.replaced_members = count(&[Nemesis::ReplaceMember]);
        counts.backups = happened.made();
        counts.backups_failed = happened.backups.len() as u64 - counts.backups;
        counts.judge(verdicts);
        counts
    }

    /// So long there were faults, of so many nodes.
    pub(crate) fn last(&mut self, seconds: u64, nodes: usize) {
        self.seconds = seconds;
        match nodes {
            3 => self.seconds_of_three_nodes = seconds,
            5 => self.seconds_of_five_nodes = seconds,
            _ => {}
        }
    }

    fn judge(&mut self, verdicts: &[(&str, Verdict)]) {
        // Several checkers notice it, and for each node: what is lost is lost once.
        let wrong = |kinds: &[Wrong]| {
            let findings = verdicts.iter().flat_map(|(_, verdict)| verdict.findings());
            let findings = findings.filter(|it| kinds.contains(&it.wrong));
            findings.map(|it| it.operations.first()).collect::<BTreeSet<_>>().len() as u64
        };
        self.lost = wrong(&[Wrong::Lost]);
        self.doubled = wrong(&[Wrong::Doubled]);
        self.stale = wrong(&[Wrong::Stale]);
        self.not_linearizable = wrong(&[Wrong::NotLinearizable, Wrong::WrongState]);
        self.wrong_replies = wrong(&[Wrong::WrongReply, Wrong::TwoAnswers]);
        for (_, verdict) in verdicts {
            let findings = verdict.findings();
            self.violations += findings.len() as u64;
            self.undecided += u64::from(matches!(verdict, Verdict::Undecided(_)));
        }
    }

    /// Everything by name, for a table.
    pub fn rows(&self) -> Vec<(String, u64)> {
        let value = serde_json::to_value(self).unwrap_or_default();
        let fields = value.as_object().into_iter().flatten();
        // As they stand above, which a map does not keep.
        let mut rows: Vec<_> = fields
            .map(|(name, count)| (name.replace('_', " "), count.as_u64().unwrap_or_default()))
            .collect();
        rows.sort();
        rows
    }

    /// Adds them to those in a file, which is made if it is missing.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn add_to(self, path: &Path) -> Result<()> {
        let mut sum = match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str::<Self>(&text)
                .with_context(|| format!("{} does not hold counts", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        sum += self;
        let text = serde_json::to_string_pretty(&sum)? + "\n";
        fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        // Each field is a number, so their names need not be written a third time.
        let numbers = |counts: &Self| serde_json::to_value(counts).unwrap_or_default();
        let (mut sum, more) = (numbers(self), numbers(&other));
        for (name, count) in sum.as_object_mut().into_iter().flatten() {
            let number = |count: &Value| count.as_u64().unwrap_or_default();
            let (one, other) = (number(count), number(&more[name]));
            // Of the longest there is no sum.
            let both = if name.starts_with("longest") { one.max(other) } else { one + other };
            *count = both.into();
        }
        *self = serde_json::from_value(sum).expect("it has the same fields");
    }
}

#[cfg(test)]
mod tests {
    use catga_check::Finding;

    use super::*;

    #[test]
    fn counts_add_up_in_a_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("counts.json");
        let counts = Counts { runs: 1, pauses: 3, ..Counts::default() };
        counts.add_to(&path).expect("added");
        counts.add_to(&path).expect("added");
        let text = fs::read_to_string(&path).expect("read");
        let sum: Counts = serde_json::from_str(&text).expect("counts");
        assert_eq!(sum, Counts { runs: 2, pauses: 6, ..Counts::default() });
        assert!(sum.rows().contains(&("pauses".to_owned(), 6)));
        let mut both = Counts::default();
        for (seconds, nodes) in [(60, 3), (20, 5)] {
            let mut counts = Counts::default();
            counts.last(seconds, nodes);
            both += counts;
        }
        assert_eq!(
            (both.seconds, both.seconds_of_three_nodes, both.seconds_of_five_nodes),
            (80, 60, 20)
        );
        fs::write(&path, "nothing").expect("written");
        assert!(counts.add_to(&path).is_err());
    }

    #[test]
    fn of_the_longest_there_is_no_sum() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("counts.json");
        fs::write(&path, r#"{"runs": 12, "pauses": 107}"#).expect("written before there were more");
        for longest_recovery_ms in [700, 300] {
            let counts = Counts { runs: 1, longest_recovery_ms, ..Counts::default() };
            counts.add_to(&path).expect("added");
        }
        let text = fs::read_to_string(&path).expect("read");
        let sum: Counts = serde_json::from_str(&text).expect("counts");
        let expected =
            Counts { runs: 14, pauses: 107, longest_recovery_ms: 700, ..Counts::default() };
        assert_eq!(sum, expected);
    }

    #[test]
    fn each_kind_of_finding_has_its_count() {
        let finding =
            |wrong, operation| Finding { wrong, what: String::new(), operations: vec![operation] };
        let verdicts = [
            ("one", Verdict::Violated(vec![finding(Wrong::Lost, 1), finding(Wrong::Stale, 2)])),
            ("two", Verdict::Violated(vec![finding(Wrong::Lost, 1), finding(Wrong::Lost, 3)])),
            (
                "three",
                Verdict::Violated(vec![
                    finding(Wrong::WrongReply, 4),
                    finding(Wrong::TwoAnswers, 5),
                    finding(Wrong::NotLinearizable, 6),
                    finding(Wrong::Doubled, 7),
                ]),
            ),
            ("four", Verdict::Undecided(String::new())),
        ];
        let mut counts = Counts::default();
        counts.judge(&verdicts);
        let expected = Counts {
            lost: 2,
            doubled: 1,
            stale: 1,
            not_linearizable: 1,
            wrong_replies: 2,
            violations: 8,
            undecided: 1,
            ..Counts::default()
        };
        assert_eq!(counts, expected);
    }
}
