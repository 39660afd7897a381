//! `cargo xtask test`: everything that must pass, on a machine with only a Rust toolchain.

use std::process::Command;

use anyhow::Result;

use crate::{
    docs, needs, reliability,
    step::{Step, cargo, run_all},
    tidy,
};

/// Options of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out the documentation and its tests
    #[arg(long)]
    quick: bool,
}

/// Runs every step, the cheapest first and the tests last.
pub(crate) fn run(args: &Args) -> Result<()> {
    needs::components()?;
    run_all(steps(args.quick, needs::has_nextest()))
}

/// The steps in order. The tests are last because whoever reads only the end of the output must
/// find their summary there.
fn steps(quick: bool, nextest: bool) -> Vec<Step> {
    let mut steps = vec![
        Step::program("format", arguments("fmt --all --check")),
        Step::check("tidy", tidy::run),
        Step::check("reliability", reliability::check),
        Step::program(
            "clippy",
            arguments("clippy --workspace --all-targets --locked -- -D warnings"),
        ),
    ];
    if !quick {
        steps.push(docs::step());
        steps.push(Step::program("doc tests", arguments("test --doc --workspace --locked")));
    }
    steps.push(Step::program("tests", tests(nextest)));
    steps
}

/// The test runner. Without nextest the kinds of targets are spelt out, because a bare
/// `cargo test` would run the doc tests a second time.
fn tests(nextest: bool) -> Command {
    arguments(if nextest {
        "nextest run --workspace --locked"
    } else {
        "test --workspace --locked --no-fail-fast --lib --bins --tests --examples"
    })
}

fn arguments(line: &str) -> Command {
    let mut command = cargo();
    command.args(line.split(' '));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(quick: bool) -> Vec<String> {
        steps(quick, true).iter().map(|step| format!("{step:?}")).collect()
    }

    #[test]
    fn the_tests_come_last_and_the_format_first() {
        for quick in [false, true] {
            let names = names(quick);
            assert!(names[0].contains("format"), "{names:?}");
            assert!(names[names.len() - 1].contains("\"tests\""), "{names:?}");
        }
    }

    #[test]
    fn quick_leaves_out_the_documentation_only() {
        assert_eq!(names(false).len() - names(true).len(), 2);
    }

    #[test]
    fn without_nextest_cargo_runs_the_tests() {
        let arguments: Vec<_> = tests(false).get_args().map(ToOwned::to_owned).collect();
        assert_eq!(arguments[..2], ["test", "--workspace"]);
    }
}
