//! `cargo xtask`: the one entry for tests, checks, benchmarks and documentation.
//!
//! A reading order: [`step`] is what a command is made of, [`mod@test`] lists the steps that must
//! pass, [`tidy`] holds the rules that no compiler checks.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its terminal"
)]

mod bench;
mod chaos;
mod docs;
mod fuzz;
mod needs;
mod reliability;
mod sanitize;
mod sim;
mod step;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

/// The work around the code: tests, checks, benchmarks, documentation.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Xtask {
    /// Everything that must pass: format, tidy, lints, documentation, tests
    Test(test::Args),
    /// The rules that no compiler checks: who imports whom, file sizes, names, links
    Tidy,
    /// Build a benchmark in release, run it, print its table, write target/bench/NAME.json
    Bench(bench::Args),
    /// Run simulated nodes over many seeds, each on a machine that loses power, dies and fails
    Sim(sim::Args),
    /// Run real processes of the order cluster under kills, partitions, full disks and power cuts
    Chaos(chaos::Args),
    /// Run every fuzz target for a longer time, and keep what is found in its corpus
    Fuzz(fuzz::Args),
    /// Write RELIABILITY.md from what the runs have counted
    Reliability(reliability::Args),
    /// Build the documentation and open nothing
    Docs,
    /// Test the code with `unsafe` under Miri and AddressSanitizer (needs a nightly compiler)
    Sanitize,
}

fn main() -> ExitCode {
    let done = match Xtask::parse() {
        Xtask::Test(args) => test::run(&args),
        Xtask::Tidy => tidy::run(),
        Xtask::Bench(args) => bench::run(&args),
        Xtask::Sim(args) => sim::run(&args),
        Xtask::Chaos(args) => chaos::run(&args),
        Xtask::Fuzz(args) => fuzz::run(&args),
        Xtask::Reliability(args) => reliability::run(&args),
        Xtask::Docs => docs::run(),
        Xtask::Sanitize => sanitize::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // In one line and never with a backtrace: what failed has said why, just above.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Xtask::command().debug_assert();
    }

    #[test]
    fn what_cannot_be_run_is_refused_before_anything_is_built() {
        for words in [&["fuzz", "--minutes", "0"][..], &["bench", "nosuch"]] {
            let refused = Xtask::try_parse_from([&["xtask"], words].concat());
            let said = refused.expect_err("it is refused").to_string();
            assert!(
                said.contains(&format!("invalid value '{}'", words[words.len() - 1])),
                "{said}"
            );
        }
        assert!(Xtask::try_parse_from(["xtask", "bench", "local"]).is_ok());
    }
}
