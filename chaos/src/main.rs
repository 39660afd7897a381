//! `cargo xtask chaos`: real processes under faults, judged by what their clients saw.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to its terminal")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use catga_chaos::{Plan, Report, run};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// The exit code when the harness could not go on, which is no verdict.
const NO_VERDICT: u8 = 3;
/// From so much time with faults on, each kind must have happened.
const LONG: Duration = Duration::from_secs(150);

/// Runs the order cluster under faults, and judges what its clients saw.
///
/// Ends with 0 if every promise was kept, with 1 if one was not or nobody knows, and with 3 if the
/// harness itself could not go on.
#[derive(Debug, Parser)]
struct Options {
    /// For how long there are faults
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// How many nodes
    #[arg(long, default_value = "3", value_parser = ["3", "5"])]
    nodes: String,
    /// What decides on everything that is drawn [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// How many clients
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Where runs go, each into a directory of its own, and the counts of all
    #[arg(long, default_value = "target/chaos")]
    dir: PathBuf,
    /// Adds what the run went through to the counts in this file
    #[arg(long, value_name = "FILE")]
    counts: Option<PathBuf>,
    /// The program that a node is [default: `order-cluster` beside this one]
    #[arg(long)]
    program: Option<PathBuf>,
    /// Have proxies between the nodes in place of networks of their own: they can be late, dribble
    /// and reset; it is so anyway where networks are not allowed
    #[arg(long)]
    proxies: bool,
    /// Fail if any kind of fault cannot be done here
    #[arg(long)]
    all: bool,
    /// Write an acknowledgement into the history that nobody got: the run must fail
    #[arg(long, hide = true)]
    lie: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let done = tokio::select! {
        done = perform(&options) => done,
        stopped = stopped() => stopped.and_then(|()| Err(anyhow::anyhow!("interrupted"))),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: the harness could not go on: {error:#}");
        ExitCode::from(NO_VERDICT)
    })
}

/// Ready when somebody wants it to end: then everything that it made is removed first.
async fn stopped() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

async fn perform(options: &Options) -> Result<ExitCode> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("order-cluster"),
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let dir = std::path::absolute(&options.dir)?;
    let plan = Plan {
        program: std::path::absolute(program)?,
        dir: dir.join(format!("{now}-{seed}")),
        nodes: options.nodes.parse().context("read the number of nodes")?,
        clients: options.clients,
        faults: Duration::from_secs_f64(options.minutes * 60.0),
        seed,
        proxies: options.proxies,
        lie: options.lie,
    };
    println!("{} nodes, seed {seed}, faults for {:?}", plan.nodes, plan.faults);
    println!("everything goes to {}", plan.dir.display());
    let report = run(&plan).await?;
    println!("{report}");
    std::fs::write(plan.dir.join("report.txt"), report.to_string()).context("write the report")?;
    if !plan.lie {
        let counts = [Some(dir.join("counts.json")), options.counts.clone()];
        counts.iter().flatten().try_for_each(|path| report.counts.add_to(path))?;
    }
    Ok(judge(&report, &plan, options))
}

fn judge(report: &Report, plan: &Plan, options: &Options) -> ExitCode {
    let (missing, skipped) = (report.missing(), report.skipped());
    let untested = plan.faults >= LONG && !missing.is_empty();
    if untested {
        println!("this never happened, so nothing was tested of it: {}", missing.join(", "));
    }
    let lacking = options.all && !skipped.is_empty();
    if lacking {
        println!("this cannot happen here: {skipped:?}");
    }
    if report.is_good() && !untested && !lacking {
        println!("every promise was kept");
        return ExitCode::SUCCESS;
    }
    let Options { minutes, nodes, clients, .. } = options;
    let (seed, dir) = (plan.seed, plan.dir.display());
    let proxies = if plan.proxies { " --proxies" } else { "" };
    println!(
        "FAILED; all of it is in {dir}\n  judge it again: cargo run -p catga-check -- {dir}\n  \
         do it again:    cargo xtask chaos --minutes {minutes} --nodes {nodes} --clients {clients} \
         --seed {seed}{proxies}"
    );
    ExitCode::FAILURE
}
