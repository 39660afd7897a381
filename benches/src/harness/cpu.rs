use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// How long the threads of this process have run: what a piece of work costs, however busy others
/// keep the machine.
pub(crate) fn cpu_time() -> Result<Duration> {
    let mut total = 0;
    for task in fs::read_dir("/proc/self/task")? {
        // A thread that ends meanwhile is not one of those that are measured.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let ran = text.split(' ').next().context("an empty schedstat")?;
        total += ran.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
}
