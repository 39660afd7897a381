//! The order service: one program, today in one process, next on three nodes as it stands.
//!
//! `cargo run --release -p order-cluster -- --nodes 1`

mod demo;
mod options;
mod parent;
mod run;
mod tools;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::options::{Options, Task};

#[tokio::main]
async fn main() -> ExitCode {
    perform(Options::parse().task()).await.unwrap_or_else(|error| {
        // Without a standard error there is still the exit code.
        let _ = writeln!(std::io::stderr(), "error: {error}");
        ExitCode::FAILURE
    })
}

async fn perform(task: Task) -> Result<ExitCode, Box<dyn Error>> {
    match task {
        Task::Verify(dir) => tools::verify(&dir),
        Task::Dump(dir) => tools::dump(&dir),
        Task::Serve(serving) => run::serve(serving).await,
        Task::Demo(demo) => demo::demo(demo).await,
    }
}
