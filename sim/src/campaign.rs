//! Many seeds, a process each: whatever one of them leaves behind in its threads, or dies of, is
//! its own.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use catga_sim::{Exercised, Run};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::Options;
use crate::process::ended;

/// How long a process may take, and for each simulated millisecond besides: a hundred times what it
/// does, as one that is only slow is no finding.
const WAIT: Duration = Duration::from_secs(300);
const WAIT_PER_TICK: Duration = Duration::from_millis(10);

/// What a process tells of its seed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    exercised: Exercised,
    pub(crate) violation: Option<String>,
    /// What happened before it.
    led_to: Vec<String>,
}

impl From<Run> for Told {
    fn from(run: Run) -> Self {
        let violation = run.violation.map(|violation| violation.to_string());
        Self { exercised: run.exercised, violation, led_to: run.led_to }
    }
}

/// Runs the seeds on all cores.
///
/// # Errors
/// When a promise was not kept, or something that a campaign is for never happened.
pub(crate) fn run(options: &Options) -> Result<()> {
    let jobs = jobs(options)?;
    let next = AtomicU64::new(options.from);
    let end = options.from.saturating_add(options.seeds);
    let total = Mutex::new(Exercised::default());
    let failed = Mutex::new(Vec::new());
    let bar = progress(options.seeds);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    match one(seed, options) {
                        Ok(told) => {
                            *total.lock().expect("no holder panics") += told.exercised;
                            if let Some(violation) = told.violation {
                                let mut failed = failed.lock().expect("no holder panics");
                                failed.push((seed, violation, told.led_to));
                            }
                        }
                        Err(error) => {
                            let mut failed = failed.lock().expect("no holder panics");
                            failed.push((seed, format!("{error:#}"), Vec::new()));
                        }
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let total = total.into_inner().expect("no holder panics");
    print(&total);
    if let Some(path) = &options.counts {
        add_counts(path, total)?;
    }
    let mut failed = failed.into_inner().expect("no holder panics");
    failed.sort();
    for (seed, violation, led_to) in &failed {
        led_to.iter().for_each(|line| println!("    {line}"));
        println!("seed {seed}: {violation}\n  again: {}", again(*seed, options));
    }
    match (failed.len(), options.bug) {
        (0, None) => check_coverage(total, options),
        (0, Some(bug)) => bail!("no seed caught {}", bug.name()),
        (caught, Some(bug)) => {
            println!("{} of {} seeds caught {}", caught, options.seeds, bug.name());
            Ok(())
        }
        (violations, None) => bail!("{violations} of {} seeds failed", options.seeds),
    }
}

/// Prints what was gone through, and how often each promise was looked at.
pub(crate) fn print(exercised: &Exercised) {
    for (name, count) in exercised.rows() {
        println!("{name:>24} {count}");
    }
    println!();
    for (invariant, count) in exercised.evaluated.rows() {
        println!("{:>24} {count}", invariant.title());
    }
}

fn check_coverage(total: Exercised, options: &Options) -> Result<()> {
    /// From so many runs on, what is rare must have happened.
    const MANY: u64 = 50;
    let missing = total.missing();
    if options.seeds >= MANY && !missing.is_empty() {
        bail!("this never happened, so nothing was tested of it: {}", missing.join(", "));
    }
    Ok(())
}

fn again(seed: u64, options: &Options) -> String {
    let bug = options.bug.map_or_else(String::new, |bug| format!(" --bug {}", bug.name()));
    let (nodes, ticks) = (options.nodes, options.ticks);
    format!("cargo xtask sim --nodes {nodes} --seed {seed} --ticks {ticks}{bug} --lines")
}

/// The lowest of `seeds` for which `look` finds something, and what that is: on all cores.
///
/// # Errors
/// When the machine does not say how many it has.
pub(crate) fn within<T: Send>(
    options: &Options,
    seeds: RangeInclusive<u64>,
    look: impl Fn(u64) -> Option<T> + Sync,
) -> Result<Option<(u64, T)>> {
    let (next, end) = (AtomicU64::new(*seeds.start()), *seeds.end());
    let found = Mutex::new(None::<(u64, T)>);
    let jobs = jobs(options)?;
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_found = found.lock().expect("no holder panics").is_some();
                    if seed > end || is_found {
                        return;
                    }
                    if let Some(it) = look(seed) {
                        let mut found = found.lock().expect("no holder panics");
                        if found.as_ref().is_none_or(|(other, _)| seed < *other) {
                            *found = Some((seed, it));
                        }
                    }
                }
            });
        }
    });
    Ok(found.into_inner().expect("no holder panics"))
}

fn jobs(options: &Options) -> Result<usize> {
    match options.jobs {
        Some(jobs) => Ok(jobs.max(1)),
        None => Ok(std::thread::available_parallelism()?.get()),
    }
}

pub(crate) fn one(seed: u64, options: &Options) -> Result<Told> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--nodes", &options.nodes.to_string()]);
    command.args(["--json", "--seed", &seed.to_string(), "--ticks", &options.ticks.to_string()]);
    if let Some(bug) = options.bug {
        command.args(["--bug", bug.name()]);
    }
    let ticks = u32::try_from(options.ticks).unwrap_or(u32::MAX);
    heard(&mut command, WAIT + WAIT_PER_TICK.saturating_mul(ticks))
}

/// What the process of one seed tells, which has to end after `wait`.
fn heard(command: &mut Command, wait: Duration) -> Result<Told> {
    let Some(output) = ended(command.stdin(Stdio::null()), wait)? else {
        bail!("it was stopped, as it had not come to an end after {wait:?}");
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}", output.status, said.trim());
    }
    serde_json::from_slice(&output.stdout).context("the run did not say what came of it")
}

fn add_counts(path: &Path, total: Exercised) -> Result<()> {
    let mut sum = match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str::<Exercised>(&text)
            .with_context(|| format!("{} does not hold counts", path.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Exercised::default(),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    sum += total;
    let text = serde_json::to_string_pretty(&sum)? + "\n";
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// A bar on standard error; none where nobody watches.
fn progress(steps: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {eta} left")
        .expect("the template is written here");
    bar.with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_never_ends_has_failed() {
        let never = heard(Command::new("sleep").arg("600"), Duration::from_millis(1));
        let error = never.expect_err("it tells nothing").to_string();
        assert!(error.contains("not come to an end"), "{error}");
    }
}
