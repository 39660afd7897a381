//! The order service: one program, today in one process, next on three nodes as it stands.
//!
//! `cargo run --release -p order-cluster -- --nodes 1`

use std::io::IsTerminal;

use catga::prelude::*;
use clap::Parser;
use order_cluster::{routes::routes, service::Orders};
use tracing_subscriber::EnvFilter;

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
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let node = Catga::builder()
        .name(std::env::var("NODE_ID").unwrap_or_else(|_| "node1".to_owned()))
        .service(|n| Orders { book: n.projection() })
        .start()
        .await?;
    catga::serve(node, routes()).await?;
    Ok(())
}
