//! The order service: one program, today in one process, next on three nodes as it stands.
//!
//! `cargo run --release -p order-cluster -- --nodes 1`

use std::io::IsTerminal;

use catga::prelude::*;
use clap::Parser;
use order_cluster::{routes::routes, service::Orders};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The order service.
///
/// NODE_ID (node1), PORT (5001) and BIND (127.0.0.1) say who the node is and where it listens;
/// RUST_LOG (info) says how much it logs.
#[derive(Parser)]
struct Options {
    /// How many nodes to run; so far there is one process, in memory.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=1))]
    nodes: u8,
}

#[tokio::main]
async fn main() -> catga::Result<()> {
    Options::parse();
    // What is wrong with RUST_LOG is said and passed over.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let name = std::env::var_os("NODE_ID")
        .map_or_else(|| "node1".to_owned(), |name| name.to_string_lossy().into_owned());
    let node =
        Catga::builder().name(name).service(|n| Orders { book: n.projection() }).start().await?;
    catga::serve(node, routes()).await?;
    Ok(())
}
