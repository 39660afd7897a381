use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use catga_check::{Backup, Recorder};
use fastrand::Rng;
use serde_json::json;

use crate::backups;
use crate::cluster::Cluster;
use crate::nemesis::{LANES, Lane, Nemesis, Told};

/// What happened of each kind of fault, and what could not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Happened {
    pub(crate) installed: BTreeMap<Nemesis, u64>,
    pub(crate) skipped: BTreeMap<Nemesis, String>,
    /// When the last one was over, by the time of the history.
    pub(crate) ended: Option<u64>,
    /// The backups that were asked for meanwhile.
    pub(crate) backups: Vec<Backup>,
}

/// Does faults until the time is over: those of one lane one after the other, of several at the same
/// time, and backups whatever happens. All of it is written down in the directory `run`.
///
/// # Errors
/// When the harness cannot do one.
pub(crate) async fn strike(
    cluster: &Cluster,
    lasts: Duration,
    recorder: &Recorder,
    run: &Path,
    dice: &mut Rng,
) -> Result<Happened> {
    let path = run.join("nemesis.jsonl");
    let file = OpenOptions::new().append(true).create_new(true).open(&path);
    let file = file.with_context(|| format!("make {}", path.display()))?;
    let schedule = Schedule {
        cluster,
        recorder,
        until: Instant::now() + lasts,
        file: Mutex::new(file),
        happened: Mutex::default(),
    };
    let [one, two, three] = LANES.map(|lane| schedule.run(lane, dice.fork()));
    let backups = backups::ask(cluster, schedule.until, recorder, run, dice.fork());
    let ((), (), (), backups) = tokio::try_join!(one, two, three, backups)?;
    let happened = schedule.happened.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Happened { backups, ..happened })
}

struct Schedule<'a> {
    cluster: &'a Cluster,
    recorder: &'a Recorder,
    until: Instant,
    file: Mutex<File>,
    happened: Mutex<Happened>,
}

impl Schedule<'_> {
    /// Each fault of the lane, in another order every time, and between them some calm.
    async fn run(&self, lane: Lane, mut dice: Rng) -> Result<()> {
        let mut deck = lane.to_vec();
        while !deck.is_empty() {
            dice.shuffle(&mut deck);
            for nemesis in deck.clone() {
                tokio::time::sleep(Duration::from_millis(dice.u64(300..4_000))).await;
                if Instant::now() >= self.until {
                    return Ok(());
                }
                let begun = self.recorder.now();
                let told = nemesis.strike(self.cluster, &mut dice).await;
                let told = told.with_context(|| format!("do {}", nemesis.name()))?;
                self.note(nemesis, begun, &told)?;
                if matches!(told, Told::Skipped(_)) {
                    // It will not be possible later.
                    deck.retain(|other| *other != nemesis);
                }
            }
        }
        Ok(())
    }

    fn note(&self, nemesis: Nemesis, begun: u64, told: &Told) -> Result<()> {
        let (kind, state, what) = match told {
            Told::Installed(what) => (nemesis, "installed", what),
            Told::Instead(other, what) => (*other, "installed", what),
            Told::Skipped(why) => (nemesis, "skipped", why),
        };
        let ended = self.recorder.now();
        let mut happened = self.happened.lock().unwrap_or_else(PoisonError::into_inner);
        match told {
            Told::Skipped(why) => drop(happened.skipped.insert(kind, why.clone())),
            _ => {
                *happened.installed.entry(kind).or_default() += 1;
                happened.ended = Some(ended);
            }
        }
        let line = json!({
            "nemesis": kind.name(), "state": state, "what": what, "from": begun, "to": ended,
        });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}").context("write down a fault")
    }
}

impl Happened {
    /// What could have happened and never did.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let all = LANES.iter().flat_map(|lane| lane.iter());
        let is_missing =
            |it: &&Nemesis| !self.installed.contains_key(it) && !self.skipped.contains_key(it);
        let mut missing: Vec<_> = all.filter(is_missing).map(|nemesis| nemesis.name()).collect();
        missing.extend((self.made() == 0).then_some("backup"));
        missing
    }

    /// How many backups were made.
    pub(crate) fn made(&self) -> u64 {
        self.backups.iter().filter(|backup| backup.number.is_some()).count() as u64
    }
}
