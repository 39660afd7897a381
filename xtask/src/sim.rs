//! `cargo xtask sim`: simulated nodes, as many seeds as one likes.
//!
//! The simulator's own program knows its options; here it is only built, with optimisations and
//! with the assertions of everything beneath.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::step::{self, cargo};

/// Options of `cargo xtask sim`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// As `cargo xtask sim --help` shows: --seeds N --from S --ticks T, --seed S --lines
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// Runs the simulator.
pub(crate) fn run(args: &Args) -> Result<()> {
    step::run(&mut command(args))
}

fn command(args: &Args) -> Command {
    let mut command = cargo();
    // What cargo builds goes to standard error: minutes, the first time.
    command.args(["run", "--profile", "sim", "--package", "catga-sim", "--"]);
    command.args(&args.rest);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_reaches_the_simulator() {
        let args = Args { rest: ["--seeds", "3"].map(OsString::from).to_vec() };
        let command = command(&args);
        let arguments: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
        assert_eq!(arguments.join(" "), "run --profile sim --package catga-sim -- --seeds 3");
    }
}
