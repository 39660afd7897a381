//! On a log in memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::CLIENTS;
use super::load::{Load, runtime};
use crate::harness::{Bar, Figures, Lane, Options, Row, Shared, cpu_time, measured};
use crate::orders;

const CASE: &str = "order/memory";

/// As many operations as one round runs at most: nothing is ever forgotten in memory.
const OPS_MAX: i64 = 1_000_000;

pub(super) fn lanes(options: &Options) -> Vec<Lane<'static>> {
    let time = Duration::from_millis(options.pick(700, 2000));
    let mut lanes = Vec::new();
    for clients in CLIENTS {
        for (subject, settings, workers) in
            [("catga", "two workers", 2), ("catga-1core", "one thread", 1)]
        {
            lanes.push(Lane {
                case: CASE.to_owned(),
                subject,
                settings,
                clients: Some(clients),
                round: Box::new(move || round(workers, clients, time)),
            });
        }
    }
    lanes
}

/// A new node for each round, so that each starts with an empty memory.
fn round(workers: usize, clients: usize, time: Duration) -> Result<Figures> {
    let runtime = runtime(workers)?;
    let node = runtime.block_on(async {
        let node = orders::start().await;
        node.context("the node does not start")
    })?;
    let load = Load { runtime: &runtime, node: &node, clients, latency: Shared::new() };
    load.run(time / 5, OPS_MAX / 10)?;
    load.latency.take();
    let (start, ran) = (Instant::now(), cpu_time()?);
    load.run(time, OPS_MAX)?;
    let (took, ran) = (start.elapsed(), cpu_time()? - ran);
    let latency = load.latency.take();
    let mut figures = Figures::of(latency.len(), took.as_secs_f64(), &latency);
    figures.ns_per_op = Some(ran.as_nanos() as f64 / latency.len() as f64);
    let mut counted = Ok(());
    let allocated = measured(true, || counted = load.run(time / 10, OPS_MAX / 10)).allocated;
    counted?;
    let ops = load.latency.take().len() as f64;
    figures.allocs_per_op = Some(allocated.count as f64 / ops);
    figures.bytes_per_op = Some(allocated.bytes as f64 / ops);
    runtime.block_on(node.shutdown());
    Ok(figures)
}

/// A command within 3 µs on one core, 300,000 a second.
pub(super) fn bars(rows: &[Row]) -> Vec<Bar> {
    let mut bars = Vec::new();
    for row in rows.iter().filter(|row| row.case == CASE) {
        let (Some(clients), Some(ns), Some(ops)) =
            (row.clients, row.figures.ns_per_op, row.figures.ops_per_s)
        else {
            continue;
        };
        bars.push(if row.subject == "catga-1core" {
            Bar::at_most(CASE, row.subject, "µs on one core", ns / 1e3, 3.0).clients(clients)
        } else {
            Bar::at_least(CASE, row.subject, "ops/s", ops, 300_000.0).clients(clients)
        });
    }
    bars
}
