use std::fs;

use anyhow::Result;

/// How busy the machine is with other things, for a note below the table.
pub(crate) fn busy() -> Result<String> {
    let load = fs::read_to_string("/proc/loadavg")?;
    let load: Vec<_> = load.split(' ').take(2).collect();
    Ok(format!("Before it began, {} threads ran or waited on average.", load.join(" and ")))
}
