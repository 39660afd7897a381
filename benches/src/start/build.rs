use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;
use std::{env, path::Path};

use anyhow::{Context, Result, ensure};

use super::lane;
use crate::harness::{Figures, Options, Row, folder, take_turns};

const PACKAGE: &str = "order-cluster";

/// Builds the order service in release; where it is then.
pub(super) fn release() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--package", PACKAGE]))?;
    let target = folder()?;
    let target = target.parent().context("the results stand in the target directory")?;
    Ok(target.join("release").join(PACKAGE))
}

/// Builds it from nothing, once: it takes minutes.
pub(super) fn cold(options: &Options) -> Result<Vec<Row>> {
    let crates = crates()?;
    let mut first = None;
    let round = || {
        let seconds = match first {
            Some(seconds) => seconds,
            None => *first.insert(build_in(tempfile::tempdir()?.path())?),
        };
        Ok(Figures { seconds: Some(seconds), crates: Some(crates), ..Figures::default() })
    };
    let mut rows = take_turns(options, 3, vec![lane("build", round)])?;
    for row in &mut rows {
        row.rounds = 1;
    }
    Ok(rows)
}

fn build_in(target: &Path) -> Result<f64> {
    let start = Instant::now();
    let mut cargo = cargo();
    cargo.args(["build", "--release", "--package", PACKAGE]).env("CARGO_TARGET_DIR", target);
    run(&mut cargo)?;
    Ok(start.elapsed().as_secs_f64())
}

/// How many crates are in its tree, itself and ours among them.
fn crates() -> Result<usize> {
    let mut cargo = cargo();
    cargo.args(["tree", "--package", PACKAGE, "--edges", "normal,build", "--prefix", "none"]);
    let output = cargo.output().context("cannot run cargo tree")?;
    ensure!(output.status.success(), "cargo tree failed");
    let text = String::from_utf8(output.stdout)?;
    let names = text.lines().map(|line| line.split(" (").next().unwrap_or(line));
    Ok(names.filter(|name| !name.is_empty()).collect::<BTreeSet<_>>().len())
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "cargo failed: {status}");
    Ok(())
}
