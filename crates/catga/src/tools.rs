//! What is done to directories while no node uses them: looking at a node's data or at backups, and
//! making the data of a new node of a backup.

mod dump;
mod json;
mod restore;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use catga_cluster::{DataDir, Inspection};
use catga_core::{Fault, FaultCode};
use catga_host::{Disk, Files};
use catga_journal::{Backup, BackupError, Backups};

pub use self::dump::dump;
pub use self::restore::{Restored, restore, restore_on};
pub use catga_cluster::RestoreError;
pub use catga_journal::{FileReport, ParseWhichError, Which};

/// Reads every byte of the data directory, or of the directory of backups, `dir`, and says of each
/// file what it holds, or what is damaged and where; of backups also what is missing, and what none
/// of them needs. Nothing is changed.
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
/// When there is no such directory, it is neither, or somebody uses it.
pub fn verify(dir: impl AsRef<Path>) -> Result<Vec<FileReport>, Fault> {
    let (files, dir): (Arc<dyn Files>, _) = (Arc::new(Disk), dir.as_ref());
    // What is wrong with a directory that cannot be listed is said below.
    if Backups::are_in(&*files, dir).unwrap_or_default() {
        let reports = Backups::new(dir).verify(&files);
        return reports.map_err(|error| Fault::new(FaultCode::Unreadable, error.to_string()));
    }
    Ok(inspect(&files, dir)?.verify())
}

/// The data directory `dir`, which no node uses.
fn inspect(files: &Arc<dyn Files>, dir: &Path) -> Result<Inspection, Fault> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match files.list(dir) {
        Err(error) if matches!(error.kind(), NotADirectory | NotFound) => {
            let message = format!("there is no directory {}", dir.display());
            Err(Fault::new(FaultCode::Unreadable, message))
        }
        // What else may be wrong with it is said there.
        _ => Ok(DataDir::inspect(files, dir)?),
    }
}

/// The backups in the directory `dir` by their numbers, oldest first; of one whose manifest cannot be
/// read, why not. Reads the manifests alone.
///
/// ```no_run
/// for (number, backup) in catga::tools::backups("/backups/shop")? {
///     match backup {
///         Ok(backup) => println!("{number} of {}: all up to {}", backup.at, backup.position),
///         Err(damage) => println!("{number} is damaged: {damage}"),
///     }
/// }
/// # Ok::<_, catga::BackupError>(())
/// ```
///
/// # Errors
/// When it is no directory of backups.
pub fn backups(
    dir: impl AsRef<Path>,
) -> Result<BTreeMap<u64, Result<Backup, BackupError>>, BackupError> {
    let files: Arc<dyn Files> = Arc::new(Disk);
    Backups::new(dir.as_ref()).list(&files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_said_to_be_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        std::fs::write(&file, "").expect("written");
        for none in [dir.path().join("none"), file] {
            let expected = format!("unreadable: there is no directory {}", none.display());
            assert_eq!(verify(&none).expect_err("none").to_string(), expected);
            let refused = dump(&none, &mut Vec::new()).expect_err("none");
            assert!(refused.to_string().ends_with(&expected), "{refused}");
        }
    }
}
