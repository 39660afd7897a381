//! What the program does beside serving.

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use catga::tools;
use order_cluster::certificates;

/// Reads every byte, and says of each file what it holds or what is damaged.
pub(crate) fn verify(dir: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let files = tools::verify(dir)?;
    let mut out = io::stdout().lock();
    let mut damaged = 0;
    for file in &files {
        let path = file.path.display();
        match &file.found {
            Ok(holds) => writeln!(out, "ok       {path}: {holds}")?,
            Err(damage) => {
                damaged += 1;
                writeln!(out, "DAMAGED  {path}: {damage}")?;
            }
        }
    }
    writeln!(out, "{} files, {damaged} damaged", files.len())?;
    Ok(if damaged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes the journal to standard output, a line of JSON for each effect.
pub(crate) fn dump(dir: &Path) -> Result<ExitCode, Box<dyn Error>> {
    match tools::dump(dir, &mut BufWriter::new(io::stdout().lock())) {
        // Whoever reads has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        dumped => Ok(dumped.map(|_| ExitCode::SUCCESS)?),
    }
}

/// Makes certificates to try TLS out, and says how they are used.
pub(crate) fn certificates(
    dir: &Path,
    nodes: Vec<String>,
    valid: Duration,
    keeps_ca_key: bool,
) -> Result<ExitCode, Box<dyn Error>> {
    let count = nodes.len();
    certificates::make(dir, nodes, valid, keeps_ca_key)?;
    let (dir, days) = (dir.display(), valid.as_secs() / (24 * 3600));
    writeln!(
        io::stdout(),
        "In {dir} are a CA and certificates of {count} nodes, for development alone, for {days} days.\n\
         Run three nodes that meet by them with\n\n  order-cluster --tls {dir}"
    )?;
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &catga::Error) -> bool {
    error.io().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
