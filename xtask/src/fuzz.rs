//! `cargo xtask fuzz`: every fuzz target for a longer time, on the stable compiler.
//!
//! A target is a test program that was built once; it tries random inputs until its time is over and
//! leaves a record of what it did. So an input is known that ends the whole process, or never ends. What
//! was found is kept in the corpus of its target, which the tests run from then on.

mod counts;
mod target;
mod trial;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};

use self::target::Target;
use self::trial::Trial;
use crate::workspace::Workspace;

/// Options of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, default_value = "1", value_parser = minutes)]
    minutes: Duration,
    /// Only the targets with this in their name
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Show what there is, and run nothing
    #[arg(long)]
    list: bool,
    /// Add what was tried to this file, such as reliability/fuzz.json
    #[arg(long, value_name = "FILE")]
    counts: Option<PathBuf>,
    /// The profile to build with; dev is built sooner, and tries less
    #[arg(long, default_value = "fuzz")]
    profile: String,
}

/// Runs the targets one after the other; fails if one has found something.
pub(crate) fn run(args: &Args) -> Result<()> {
    let workspace = Workspace::load()?;
    let all = target::all(&workspace)?;
    let wanted = |target: &&Target| {
        args.target.as_ref().is_none_or(|name| target.to_string().contains(name))
    };
    let targets: Vec<_> = all.iter().filter(wanted).collect();
    if targets.is_empty() {
        bail!("no target has that in its name; `cargo xtask fuzz --list` shows all");
    }
    if args.list {
        targets.iter().for_each(|target| println!("{target}"));
        return Ok(());
    }
    // All of them first: what does not build should not be known after hours.
    let mut programs = BTreeMap::new();
    for target in &targets {
        if let Entry::Vacant(place) = programs.entry(target.arguments()) {
            place.insert(target.build(&args.profile)?);
        }
    }
    let mut found = Vec::new();
    println!("{:>12} {:>8} {:>9}  target", "inputs", "seconds", "a second");
    for target in targets {
        let program = &programs[&target.arguments()];
        let trial = Trial::run(&workspace.root, target, program, args.minutes)?;
        let (tried, seconds) = (trial.tried, trial.took.as_secs_f64());
        println!("{tried:>12} {seconds:>8.1} {:>9.0}  {target}", tried as f64 / seconds);
        if let Some(file) = &args.counts {
            counts::add(file, all.len(), &trial)?;
        }
        if let Some(why) = trial.found {
            println!("{}", trial.said.trim_end());
            println!("  found: {why}");
            println!("  again: {}", target.command());
            found.push(target.to_string());
        }
    }
    match found.as_slice() {
        [] => Ok(()),
        found => bail!("inputs were found and kept in the corpus of {}", found.join(", ")),
    }
}

/// So many minutes, or a part of one.
fn minutes(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|minutes: f64| {
        Duration::try_from_secs_f64(minutes * 60.0).ok().filter(|time| !time.is_zero())
    });
    time.ok_or_else(|| "it must be a number above 0, such as 10 or 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_run_for_some_time() {
        assert_eq!(minutes("1"), Ok(Duration::from_secs(60)));
        assert_eq!(minutes("0.5"), Ok(Duration::from_secs(30)));
        for text in ["0", "-1", "NaN", "inf", "1e300", "ten"] {
            assert!(minutes(text).is_err(), "{text}");
        }
    }
}
