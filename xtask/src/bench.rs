//! `cargo xtask bench`: builds the benchmarks in release and runs one of them.
//!
//! The benchmarks' own program knows their names, prints the table and writes the numbers; here
//! it is only told which commit it measures.

use std::process::Command;

use anyhow::Result;

use crate::needs;
use crate::step::{self, cargo};

/// The benchmark that puts other stores beside ours.
const WITH_RIVALS: &str = "cluster";

/// All of them: whoever names another one hears so before anything is built.
const NAMES: [&str; 7] = ["local", "journal", "edge", "growth", "start", "cluster", "failover"];

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which benchmark
    #[arg(value_parser = NAMES)]
    name: String,
    /// At most a minute: less sure numbers, the same ratios
    #[arg(long)]
    quick: bool,
    /// Only these subjects
    #[arg(long, value_name = "SUBJECT,…")]
    only: Option<String>,
    /// Only these cases, such as write/http
    #[arg(long, value_name = "CASE,…")]
    cases: Option<String>,
    /// Only these numbers of clients
    #[arg(long, value_name = "N,…")]
    clients: Option<String>,
}

/// Runs the benchmark.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.name == WITH_RIVALS {
        needs::rivals(args.only.as_deref());
    }
    step::run(&mut command(args, &commit()))
}

fn command(args: &Args, commit: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--release", "--package", "catga-benches"]);
    if args.name == WITH_RIVALS {
        command.args(["--features", "rivals"]);
    }
    command.args(["--", &args.name]);
    if args.quick {
        command.arg("--quick");
    }
    let chosen = [("--only", &args.only), ("--cases", &args.cases), ("--clients", &args.clients)];
    for (option, chosen) in chosen {
        command.args(chosen.iter().flat_map(|chosen| [option, chosen]));
    }
    command.env("CATGA_BENCH_COMMIT", commit);
    command
}

/// The commit that is checked out, marked when files differ from it; `unknown` outside git.
fn commit() -> String {
    Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |commit| commit.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_options_and_commit_reach_the_benchmarks() {
        let args = Args {
            name: "local".to_owned(),
            quick: true,
            only: Some("catga,direct".to_owned()),
            cases: Some("create".to_owned()),
            clients: Some("1,64".to_owned()),
        };
        let command = command(&args, "abc123-dirty");
        let arguments: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
        assert_eq!(
            arguments.join(" "),
            "run --release --package catga-benches -- local --quick --only catga,direct \
             --cases create --clients 1,64"
        );
        let commit = command.get_envs().find(|(key, _)| *key == "CATGA_BENCH_COMMIT");
        assert_eq!(commit.and_then(|(_, value)| value), Some("abc123-dirty".as_ref()));
    }

    #[test]
    fn every_benchmark_is_known_here() {
        let program = include_str!("../../benches/src/main.rs");
        let there = program.lines().filter_map(|line| line.strip_suffix("(Options),"));
        let there: Vec<_> = there.map(|name| name.trim().to_lowercase()).collect();
        assert_eq!(there, NAMES);
    }

    #[test]
    fn clients_of_other_stores_are_built_for_the_one_benchmark_that_has_them() {
        let builds_them = |name: &str| {
            let name = name.to_owned();
            let args = Args { name, quick: false, only: None, cases: None, clients: None };
            command(&args, "abc123").get_args().any(|arg| arg == "rivals")
        };
        assert!(builds_them("cluster"));
        assert!(!builds_them("local"));
    }
}
