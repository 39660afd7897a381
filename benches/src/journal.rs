//! The whole command of an order service on a log in memory: layers, handler, one event, its effect
//! with id and reply, aggregate and projection folded, and the answer once it can be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use catga::Node;
use tokio::runtime::{Builder, Runtime};

use crate::harness::{
    Bar, Figures, Lane, Options, Recorder, Report, Row, Shared, cpu_time, measured, take_turns,
};
use crate::orders::{self, CreateOrder, PAYLOAD_BYTES};

const CASE: &str = "order/memory";
const CLIENTS: [usize; 4] = [1, 16, 64, 256];

/// As many operations as one round runs at most: nothing is ever forgotten in memory.
const OPS_MAX: i64 = 1_000_000;

/// Runs the benchmark.
pub(crate) fn run(options: &Options) -> Result<()> {
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
    let rows = take_turns(options, options.pick(3, 5), lanes)?;
    let report = Report {
        bench: "journal",
        payload_bytes: Some(PAYLOAD_BYTES),
        bars: bars(&rows),
        rows,
        notes: vec![
            "Closed loop: each client sends its next command when it is answered.".to_owned(),
            "ns/op is processor time, of all threads and of the clients too.".to_owned(),
        ],
    };
    report.publish()
}

/// A new node for each round, so that each starts with an empty memory.
fn round(workers: usize, clients: usize, time: Duration) -> Result<Figures> {
    let runtime = match workers {
        1 => Builder::new_current_thread().enable_all().build()?,
        _ => Builder::new_multi_thread().worker_threads(workers).enable_all().build()?,
    };
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

/// Clients that send one command after the other.
struct Load<'a> {
    runtime: &'a Runtime,
    node: &'a Node,
    clients: usize,
    latency: Shared,
}

impl Load<'_> {
    /// Lets them send for `time`, or until they have sent `ops` together.
    fn run(&self, time: Duration, ops: i64) -> Result<()> {
        let until = Instant::now() + time;
        let left = Arc::new(AtomicI64::new(ops));
        self.runtime.block_on(async {
            let client = |number| {
                let recorder = self.latency.recorder();
                tokio::spawn(client(self.node.clone(), number, until, left.clone(), recorder))
            };
            let clients: Vec<_> = (0..self.clients as u64).map(client).collect();
            for client in clients {
                client.await??;
            }
            Ok(())
        })
    }
}

async fn client(
    node: Node,
    number: u64,
    until: Instant,
    left: Arc<AtomicI64>,
    mut latency: Recorder,
) -> Result<()> {
    let sample = CreateOrder::sample(number);
    let mut start = Instant::now();
    while start < until && left.fetch_sub(1, Ordering::Relaxed) > 0 {
        node.send(sample.clone()).await?;
        let end = Instant::now();
        latency.record(end - start);
        start = end;
    }
    Ok(())
}

/// A command within 3 µs on one core, 300,000 a second.
fn bars(rows: &[Row]) -> Vec<Bar> {
    let mut bars = Vec::new();
    for row in rows {
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
