//! On disk, beside a bare file that takes the same bytes.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::CLIENTS;
use super::load::{Load, runtime};
use crate::harness::{Bar, Figures, Lane, Latency, Options, Row, Shared, folder};
use crate::orders;

const CASE: &str = "order/durable";

/// How much of the bare file's throughput is to be reached, by clients.
const SHARES: [(usize, f64); 4] = [(1, 0.7), (16, 0.6), (64, 0.5), (256, 0.35)];

/// The bytes that the log takes for one order, and the lanes.
pub(super) fn lanes(options: &Options) -> Result<(usize, Vec<Lane<'static>>)> {
    let time = Duration::from_millis(options.pick(700, 3000));
    let bytes = record_bytes().context("the bytes of an order cannot be told")?;
    let mut lanes = Vec::new();
    for clients in CLIENTS {
        let mut lane = |subject, settings, round| {
            let (case, clients) = (CASE.to_owned(), Some(clients));
            lanes.push(Lane { case, subject, settings, clients, round });
        };
        lane("catga", "a cluster of one", Box::new(move || ours(clients, time)));
        let bare = move || bare(clients, bytes, time);
        lane("append-fdatasync", "one file", Box::new(bare));
    }
    Ok((bytes, lanes))
}

/// On the disk that the results are written to.
fn fresh_dir() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("journal-").tempdir_in(folder()?)?)
}

fn ours(clients: usize, time: Duration) -> Result<Figures> {
    let dir = fresh_dir()?;
    let runtime = runtime(2)?;
    let node = runtime.block_on(orders::start_on(dir.path())).context("the node does not start")?;
    let load = Load { runtime: &runtime, node: &node, clients, latency: Shared::new() };
    load.run(time / 5, i64::MAX)?;
    load.latency.take();
    let start = Instant::now();
    load.run(time, i64::MAX)?;
    let (took, latency) = (start.elapsed(), load.latency.take());
    runtime.block_on(node.shutdown());
    Ok(Figures::of(latency.len(), took.as_secs_f64(), &latency))
}

/// Appends the bytes of so many orders at once and syncs them, again and again.
fn bare(clients: usize, bytes: usize, time: Duration) -> Result<Figures> {
    let dir = fresh_dir()?;
    let mut file = File::create(dir.path().join("bare"))?;
    let batch = vec![7; clients * bytes];
    let mut latency = Latency::new();
    let (start, mut ops) = (Instant::now(), 0);
    let mut before = start;
    while before - start < time {
        file.write_all(&batch)?;
        file.sync_data()?;
        let now = Instant::now();
        latency.record(now - before);
        (before, ops) = (now, ops + clients as u64);
    }
    Ok(Figures::of(ops, (before - start).as_secs_f64(), &latency))
}

/// How many bytes the log takes for an order when sixteen clients send.
fn record_bytes() -> Result<usize> {
    const ORDERS: i64 = 2000;
    let dir = fresh_dir()?;
    let runtime = runtime(2)?;
    let node = runtime.block_on(orders::start_on(dir.path())).context("the node does not start")?;
    let before = written(&dir.path().join("log"))?;
    let load = Load { runtime: &runtime, node: &node, clients: 16, latency: Shared::new() };
    load.run(Duration::from_secs(60), ORDERS)?;
    let (sent, after) = (load.latency.take().len(), written(&dir.path().join("log"))?);
    runtime.block_on(node.shutdown());
    ensure!(sent > 0 && after > before, "the log did not grow by {sent} orders");
    Ok((after - before).div_ceil(sent as usize))
}

/// How many bytes of a log are written: its files are longer.
fn written(dir: &Path) -> Result<usize> {
    let mut written = 0;
    for entry in fs::read_dir(dir)? {
        let bytes = fs::read(entry?.path())?;
        written += bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    }
    Ok(written)
}

pub(super) fn bars(rows: &[Row]) -> Vec<Bar> {
    let ops = |subject, clients| {
        let row = rows
            .iter()
            .find(|row| row.case == CASE && row.subject == subject && row.clients == Some(clients));
        row.and_then(|row| row.figures.ops_per_s)
    };
    let bar = |(clients, share)| {
        let ratio = ops("catga", clients)? / ops("append-fdatasync", clients)?;
        Some(Bar::at_least(CASE, "catga", "of the bare file", ratio, share).clients(clients))
    };
    SHARES.into_iter().filter_map(bar).collect()
}
