//! Criteria of speed: ours and, beside them, others'.
//!
//! `cargo xtask bench NAME` runs one of them: it prints a table and writes the numbers to
//! `target/bench/NAME.json`.

#![allow(clippy::print_stdout, reason = "a table on standard output is what a benchmark is for")]

mod harness;

mod orders;
mod trio;

mod cluster;
mod edge;
mod failover;
mod growth;
mod journal;
mod local;
mod start;

use anyhow::Result;
use clap::Parser;
use tracing::level_filters::LevelFilter;

use crate::harness::{Counting, Options};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// Measures.
#[derive(Debug, Parser)]
enum Bench {
    /// Commands, queries and events in one process, nothing recorded
    Local(Options),
    /// The whole command of an order service, in memory and on disk
    Journal(Options),
    /// The same over HTTP, beside bare axum handlers
    Edge(Options),
    /// A journal on disk as it grows to millions of events
    Growth(Options),
    /// How soon a node serves, and how large it is
    Start(Options),
    /// Three nodes on disk, beside other replicated stores
    Cluster(Options),
    /// How long nobody is answered when a leader is killed, stands still, or is drained
    Failover(Options),
    /// One of the servers that `edge` compares; it runs until its input ends
    #[command(hide = true)]
    Serve { subject: edge::Subject },
    /// One of the nodes of `cluster` and `failover`; it runs until its input ends
    #[command(hide = true)]
    Node(trio::NodeArgs),
}

fn main() -> Result<()> {
    // Every subject logs what a program in production would log.
    tracing_subscriber::fmt().with_max_level(LevelFilter::WARN).with_writer(std::io::stderr).init();
    match Bench::parse() {
        Bench::Local(options) => local::run(&options),
        Bench::Journal(options) => journal::run(&options),
        Bench::Edge(options) => edge::run(&options),
        Bench::Growth(options) => growth::run(&options),
        Bench::Start(options) => start::run(&options),
        Bench::Cluster(options) => cluster::run(&options),
        Bench::Failover(options) => failover::run(&options),
        Bench::Node(args) => trio::run_node(&args),
        Bench::Serve { subject } => edge::serve(subject),
    }
}
