//! `cargo xtask docs`: the documentation of our own crates.

use anyhow::Result;

use crate::step::{Step, cargo, run_all};

/// Builds the documentation.
pub(crate) fn run() -> Result<()> {
    run_all([step()])
}

/// The step that builds the documentation; a warning, such as a dead link, fails it.
pub(crate) fn step() -> Step {
    let mut command = cargo();
    command
        .args(["doc", "--workspace", "--no-deps", "--locked"])
        .env("RUSTDOCFLAGS", "-D warnings");
    Step::program("documentation", command)
}
