use std::fs::File;
use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

use super::{Latency, folder};

/// How long this disk takes to append a little and to make it last.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Fsync {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

const APPENDS: usize = 200;
/// A page: no disk writes less.
const BYTES: usize = 4096;

/// Appends to a file beside the results, syncing its data each time.
pub(super) fn measure() -> Result<Fsync> {
    let path = folder()?.join("fsync.tmp");
    let mut file = File::create(&path).with_context(|| format!("cannot write {path:?}"))?;
    let mut latency = Latency::new();
    for _ in 0..APPENDS {
        let start = Instant::now();
        file.write_all(&[7; BYTES])?;
        file.sync_data()?;
        latency.record(start.elapsed());
    }
    drop(file);
    std::fs::remove_file(&path)?;
    Ok(Fsync { p50: latency.us(0.5), p99: latency.us(0.99) })
}
