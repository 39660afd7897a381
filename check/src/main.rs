//! `catga-check FILE…`: judges a run of the order cluster, also one of long ago.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to its terminal")]

use std::path::PathBuf;
use std::process::ExitCode;

use catga_check::{Case, Verdict};
use clap::Parser;

/// So many findings of a checker are shown.
const SHOWN: usize = 10;
/// The exit code when there is nothing to judge, which is no verdict.
const NO_VERDICT: u8 = 3;

/// Judges what clients of the order cluster saw.
///
/// Ends with 0 if every promise was kept, with 1 if one was not or nobody knows, and with 3 if
/// there is nothing to judge.
#[derive(Debug, Parser)]
struct Options {
    /// The directory of a run, or a history, journals (`journal-NODE.jsonl`), `backups.jsonl` and what
    /// was restored (`restored-NUMBER.jsonl`)
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let case = match Case::read(&Options::parse().files) {
        Ok(case) => case,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(NO_VERDICT);
        }
    };
    println!("{} operations, {} journals", case.history.len(), case.journals.len());
    if case.history.is_torn {
        println!("the last line is cut off: whoever wrote it died");
    }
    let mut passed = true;
    for (name, verdict) in case.judge() {
        println!("{name:>14} {verdict}");
        passed &= verdict.is_pass();
        if let Verdict::Violated(findings) = &verdict {
            for finding in findings.iter().take(SHOWN) {
                println!("{:>14}   {finding}", "");
            }
        }
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
