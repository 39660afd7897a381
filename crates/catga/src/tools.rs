//! Looking at a data directory from outside, while no node uses it. Nothing is changed.

mod dump;
mod json;

use std::path::Path;
use std::sync::Arc;

use catga_cluster::DataDir;
use catga_core::Fault;
use catga_host::{Disk, Files};

pub use self::dump::dump;
pub use catga_journal::FileReport;

/// Reads every byte of the data directory `dir`, and says of each file what it holds, or what is
/// damaged and where.
///
/// ```no_run
/// for file in catga::tools::verify("data/node1")? {
///     match &file.found {
///         Ok(holds) => println!("ok       {}: {holds}", file.path.display()),
///         Err(damage) => println!("DAMAGED  {}: {damage}", file.path.display()),
///     }
/// }
/// # Ok::<_, catga::Fault>(())
/// ```
///
/// # Errors
/// When it is no data directory, or a node uses it.
pub fn verify(dir: impl AsRef<Path>) -> Result<Vec<FileReport>, Fault> {
    let files: Arc<dyn Files> = Arc::new(Disk);
    Ok(DataDir::inspect(&files, dir.as_ref())?.verify())
}
