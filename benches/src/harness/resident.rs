use std::fs;

use anyhow::{Context, Result};

/// What the process has in memory, in megabytes.
pub(crate) fn resident_mb(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.trim().strip_suffix("kB"));
    let kib: f64 = kib.context("no resident size in the status")?.trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}
