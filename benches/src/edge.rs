//! The order service over HTTP, beside bare axum handlers that call the same node to create an
//! order, and read a map to get one.
//!
//! Each server is a process of its own and the load comes from a third, over connections that stay
//! open, with one request under way on each.

mod axum_server;
mod catga_server;
mod child;
pub(crate) mod connection;
pub(crate) mod load;
pub(crate) mod requests;

use std::time::Duration;

use anyhow::Result;
use tokio::runtime::Builder;

use self::child::Child;
use self::requests::Requests;
use crate::harness::{Bar, Lane, Options, Report, take_turns};
use crate::orders::PAYLOAD_BYTES;

/// Who answers.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Subject {
    Catga,
    Axum,
}

const CONNECTIONS: [usize; 2] = [1, 64];
const CASES: [&str; 2] = ["post", "get"];

impl Subject {
    fn name(self) -> &'static str {
        match self {
            Self::Catga => "catga",
            Self::Axum => "axum",
        }
    }
}

/// Runs one of the servers in this process.
pub(crate) fn serve(subject: Subject) -> Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    child::end_with_parent();
    match subject {
        Subject::Catga => runtime.block_on(catga_server::serve()),
        Subject::Axum => runtime.block_on(axum_server::serve()),
    }
}

/// Runs the benchmark.
pub(crate) fn run(options: &Options) -> Result<()> {
    let time = Duration::from_millis(options.pick(1500, 4000));
    // One thread is enough to keep the servers busy, and leaves them the rest.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let servers = [Child::start(Subject::Catga)?, Child::start(Subject::Axum)?];
    let requests: Vec<Requests> = servers
        .iter()
        .map(|server| runtime.block_on(Requests::of(server)))
        .collect::<Result<_>>()?;
    requests::check_alike(&requests[0], &requests[1])?;
    let mut lanes = Vec::new();
    for case in CASES {
        for connections in CONNECTIONS {
            for (server, requests) in servers.iter().zip(&requests) {
                let request = if case == "post" { &requests.post } else { &requests.get };
                let runtime = &runtime;
                lanes.push(Lane {
                    case: case.to_owned(),
                    subject: server.subject.name(),
                    settings: "",
                    clients: Some(connections),
                    round: Box::new(move || {
                        runtime.block_on(load::run(server.address, request, connections, time))
                    }),
                });
            }
        }
    }
    let rows = take_turns(options, options.pick(3, 5), lanes)?;
    let mut report = Report {
        bench: "edge",
        payload_bytes: Some(PAYLOAD_BYTES),
        rows,
        bars: Vec::new(),
        notes: vec![
            "HTTP/1.1, keep-alive, one request under way per connection; both log warnings only."
                .to_owned(),
        ],
    };
    report.bars = bars(&report);
    report.publish()
}

/// At least 0.9 of what bare axum does.
fn bars(report: &Report) -> Vec<Bar> {
    let mut bars = Vec::new();
    for case in CASES {
        for connections in CONNECTIONS {
            let ops = |subject| report.row(case, subject, Some(connections))?.figures.ops_per_s;
            if let (Some(catga), Some(axum)) = (ops("catga"), ops("axum")) {
                let bar = Bar::at_least(case, "catga", "of axum", catga / axum, 0.9);
                bars.push(bar.clients(connections));
            }
        }
    }
    bars
}
