//! `cargo xtask chaos`: real processes of the order cluster under faults.
//!
//! The harness's own program knows its options; here it is only built, and with it the program that
//! a node is, both with optimisations.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::step::{self, cargo};

/// Options of `cargo xtask chaos`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// As `cargo xtask chaos --help` shows: --minutes N --nodes 3|5 [--seed S] [--counts FILE]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// What the harness ends with when it could not go on: no verdict, and so no failure of ours.
const NO_VERDICT: i32 = 3;

/// Builds both and runs the harness.
pub(crate) fn run(args: &Args) -> Result<()> {
    // What cargo builds goes to standard error: minutes, the first time.
    step::run(cargo().args(["build", "--release"]).args(PACKAGES))?;
    let mut command = Command::new(built("catga-chaos")?);
    let status = command.args(&args.rest).status().context("cannot start catga-chaos")?;
    match status.code() {
        Some(0) => Ok(()),
        // Whoever started us tells the two apart by the code.
        Some(NO_VERDICT) => process::exit(NO_VERDICT),
        _ => bail!("catga-chaos failed: {status}"),
    }
}

/// Built together, so that both are built with the same features.
const PACKAGES: [&str; 4] = ["--package", "catga-chaos", "--package", "order-cluster"];

/// A program that was built with optimisations.
fn built(name: &str) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1"]).stdin(Stdio::null());
    let output = command.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .context("cannot read the answer of cargo metadata")?;
    Ok(metadata.target_directory.join("release").join(name))
}
