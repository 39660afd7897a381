//! Runs many seeds, each in a process of its own, and says what they went through.
//!
//! `cargo xtask sim --seeds N --from S`

#![allow(clippy::print_stdout, reason = "what came of the runs is what this prints")]

mod campaign;
mod catching;
mod process;

use anyhow::Result;
use catga_sim::{Nodes, Plan, Planted, run};
use clap::Parser;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Runs simulated nodes.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Options {
    /// How many seeds to run
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// How many nodes: 3 that are a cluster, or 1
    #[arg(long, default_value_t = 3, value_parser = nodes)]
    nodes: u8,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many simulated milliseconds each, at least
    #[arg(long, default_value_t = 10_000)]
    ticks: u64,
    /// How many at once; as many as there are cores if nothing is said
    #[arg(long)]
    jobs: Option<usize>,
    /// A bug on purpose, such as ack-before-quorum; an unknown name shows all
    #[arg(long, value_parser = bug)]
    bug: Option<Planted>,
    /// Makes each known bug on purpose, looks for the first seed that catches it, and writes what it
    /// took to this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seeds", "from", "bug"])]
    planted: Option<std::path::PathBuf>,
    /// Adds what the runs went through to the counts in this file
    #[arg(long)]
    counts: Option<std::path::PathBuf>,
    /// Runs one seed here, and prints what came of it
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// With --seed: prints everything that happened
    #[arg(long, requires = "seed")]
    lines: bool,
    /// With --seed: prints one line of JSON
    #[arg(long, requires = "seed", hide = true)]
    json: bool,
}

fn nodes(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("there are runs of 1 and of 3 nodes".to_owned()),
    }
}

fn bug(name: &str) -> Result<Planted, String> {
    let known = |bug: &Planted| bug.name() == name;
    Planted::ALL.into_iter().find(known).ok_or_else(|| {
        let names: Vec<_> = Planted::ALL.map(Planted::name).to_vec();
        format!("there is none of that name; there are {}", names.join(", "))
    })
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(out) = &options.planted {
        return catching::run(&options, out);
    }
    let Some(seed) = options.seed else {
        return campaign::run(&options);
    };
    if options.lines {
        let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
        tracing_subscriber::fmt()
            .with_env_filter(filter.from_env_lossy())
            .with_writer(std::io::stderr)
            .without_time()
            .init();
    }
    let nodes = if options.nodes == 1 { Nodes::One } else { Nodes::Three };
    let plan = Plan { seed, nodes, ticks: options.ticks, bug: options.bug, lines: options.lines };
    let run = run(plan);
    run.lines.iter().for_each(|line| println!("{line}"));
    if options.json {
        println!("{}", serde_json::to_string(&campaign::Told::from(run))?);
        return Ok(());
    }
    run.led_to.iter().for_each(|line| println!("    {line}"));
    campaign::print(&run.exercised);
    println!("{:>24} {:016x}", "trace", run.trace);
    match run.violation {
        None => Ok(()),
        Some(violation) => Err(anyhow::anyhow!("seed {seed}: {violation}")),
    }
}
