//! The order service: one program, on three nodes or in one process as it stands.
//!
//! `cargo run --release -p order-cluster` starts three processes that are one cluster; [`run`] is
//! what each of them does.

mod backups;
mod demo;
mod enrolling;
mod environment;
mod members;
mod node_name;
mod operate;
mod options;
mod parent;
mod run;
mod tools;
mod trio;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::options::{Options, Task};

#[tokio::main]
async fn main() -> ExitCode {
    perform().await.unwrap_or_else(|error| {
        // Without a standard error there is still the exit code.
        let _ = writeln!(std::io::stderr(), "error: {error}");
        ExitCode::FAILURE
    })
}

async fn perform() -> Result<ExitCode, Box<dyn Error>> {
    match Options::parse().task()? {
        Task::Verify(dir) => tools::verify(&dir),
        Task::Dump(dir) => tools::dump(&dir),
        Task::BackUp { at, dir } => backups::back_up(&at, &dir).await,
        Task::Backups(dir) => backups::list(&dir),
        Task::Restore { from, which, into, name } => {
            backups::restore(&from, which, &into, &name).await
        }
        Task::Operate(operation) => operate::operate(operation).await,
        Task::Certificates { dir, nodes, valid, keep_ca_key } => {
            tools::certificates(&dir, nodes, valid, keep_ca_key)
        }
        Task::Admit { asked, dir } => enrolling::admit(asked, &dir).await,
        Task::Enroll(enrolling) => enrolling::enroll(enrolling).await,
        Task::Serve(serving) => run::serve(serving).await,
        Task::Three(trio) => trio::run(trio).await,
        Task::Demo(demo) => demo::demo(demo).await,
    }
}
