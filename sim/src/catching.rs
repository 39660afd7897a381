//! Whether the simulator catches the bugs that are made on purpose, and how soon.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use catga_sim::Planted;
use serde::{Deserialize, Serialize};

use crate::Options;
use crate::campaign::{one, within};

/// So many seeds a bug may need.
const SEEDS_MAX: u64 = 200;

/// What it took to catch a bug.
#[derive(Debug, Serialize, Deserialize)]
struct Caught {
    bug: String,
    what: String,
    /// How many nodes the runs had.
    nodes: u8,
    ticks: u64,
    /// The first seed that caught it, which is how many it took.
    seed: u64,
    /// What the run said.
    said: String,
}

/// Bugs that harm a node which is alone show there sooner.
fn setting(bug: Planted) -> (u8, u64) {
    match bug {
        Planted::AckBeforeSync
        | Planted::TornTailAccepted
        | Planted::CheckpointNotSynced
        | Planted::EntrySkippedAtStart => (1, 3_000),
        _ => (3, 6_000),
    }
}

/// What it does wrong, in words.
const fn what(bug: Planted) -> &'static str {
    match bug {
        Planted::AckBeforeSync => "an append is answered when it was written, before it is synced",
        Planted::TornTailAccepted => "a frame whose checksum differs passes for a good one",
        Planted::CheckpointNotSynced => {
            "a checkpoint is not synced before the log below it is dropped"
        }
        Planted::AckBeforeQuorum => "an entry counts as held by a follower once it was sent",
        Planted::LeaderRestore => "a leader that restarts goes on leading in its old term",
        Planted::ReadIndexUnconfirmed => "a leader gives a read index without asking a quorum",
        Planted::DedupNotInSnapshot => "a snapshot does not hold which ids and keys have counted",
        Planted::VoteNotPersisted => "a vote is given without being written down",
        Planted::EntrySkippedAtStart => "a start passes over the first entry behind its checkpoint",
        Planted::ReadIndexReused => "a read index asked for earlier is given to later readers",
        Planted::AnswersSwapped => "commands that went together get each other's answers",
        Planted::ConditionsDropped => "effects are proposed without their conditions",
        Planted::RemovedBelongs => "a member that was removed is told that it belongs",
        Planted::WaitKept => "whoever stops waiting for a command stays among those who wait",
        Planted::LinkTaskKept => "a connection to a peer that is lost leaves a task behind",
        Planted::PanicStaysUnderWay => "a command whose handler panicked stays under way",
        Planted::WallNotInSnapshot => "a snapshot does not hold the latest wall time",
        Planted::RulesTooEarly => "newer rules begin before every member knows them",
        Planted::DedupByClient => "what has counted is told by its client alone",
        Planted::ExpiryByWallClock => "ids and keys are forgotten by each node's own wall clock",
        Planted::LetterAfterCursor => "a dead letter is recorded after the cursor that passed it",
        Planted::CursorBeforeDelivery => "a cursor is recorded before its event is delivered",
        _ => "",
    }
}

/// Looks for the first seed that catches each bug, and writes what it took to `out`.
///
/// # Errors
/// When one is not caught.
pub(crate) fn run(options: &Options, out: &Path) -> Result<()> {
    let mut all = Vec::new();
    // A vote around pending entries harms nobody as long as a log is used as Raft uses it: the
    // crash states of the log alone show it (`crates/cluster/tests/log_crashes.rs`).
    let bugs = Planted::ALL.into_iter().filter(|bug| *bug != Planted::VoteAroundAppends);
    for bug in bugs {
        let (nodes, ticks) = setting(bug);
        let runs = Options { nodes, ticks, bug: Some(bug), ..options.clone() };
        let found = within(options, 1..=SEEDS_MAX, |seed| match one(seed, &runs) {
            Ok(told) => told.violation,
            // A bug may well end in a panic, or in no end at all, which tells it as well.
            Err(error) => Some(last_line(&format!("{error:#}"))),
        })?;
        let Some((seed, said)) = found else {
            bail!("no seed of {SEEDS_MAX} caught {}", bug.name())
        };
        println!("{:>24} {seed:>4}  {said}", bug.name());
        let (bug, what) = (bug.name().to_owned(), what(bug).to_owned());
        all.push(Caught { bug, what, nodes, ticks, seed, said });
    }
    let text = serde_json::to_string_pretty(&all)? + "\n";
    fs::write(out, text).with_context(|| format!("write {}", out.display()))
}

/// Of a panic's report the line that says why; anything else as it is.
fn last_line(said: &str) -> String {
    let mut lines = said.lines();
    match lines.find(|line| line.contains("panicked at")).and_then(|_| lines.next()) {
        Some(why) => format!("it panicked: {}", why.trim()),
        None => said.to_owned(),
    }
}
