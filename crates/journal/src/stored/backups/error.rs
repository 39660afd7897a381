use std::fmt;
use std::path::PathBuf;

use catga_core::Fault;

use super::Which;
use crate::FileReport;
use crate::segment::SegmentError;

/// Why there is no backup, or none that can be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The node keeps nothing.
    #[error("this node keeps nothing on disk, so there is nothing to back up")]
    NoDisk,
    /// The journal is empty.
    #[error("nothing was ever recorded here, so there is nothing to back up")]
    Nothing,
    /// Somebody else is at it.
    #[error(
        "the backups in {} are in use: another one is being made there, or one is being restored; \
         try again when that has ended",
        dir.display()
    )]
    InUse {
        /// Which.
        dir: PathBuf,
    },
    /// The directory is used for something else.
    #[error(
        "{} holds {found}, and is no directory of backups: name one that is, or an empty one for \
         the first",
        dir.display()
    )]
    NotBackups {
        /// Which.
        dir: PathBuf,
        /// What it holds.
        found: String,
    },
    /// The backups are of another cluster.
    #[error(
        "the backups in {} are of cluster `{found}`, and this node is of `{own}`: give each cluster \
         a directory of its own",
        dir.display()
    )]
    OfAnotherCluster {
        /// Which.
        dir: PathBuf,
        /// Whose they are.
        found: String,
        /// Whose the node is.
        own: String,
    },
    /// There is no such backup.
    #[error(
        "there is no backup `{which}` in {}: {}",
        dir.display(),
        Numbers(numbers)
    )]
    NoSuchBackup {
        /// Where.
        dir: PathBuf,
        /// Which was asked for.
        which: Which,
        /// Those that there are.
        numbers: Vec<u64>,
    },
    /// It is not whole.
    #[error(
        "backup {number} in {} is damaged, and nothing was restored: {}",
        dir.display(),
        Faults(faults)
    )]
    Damaged {
        /// Where.
        dir: PathBuf,
        /// Which.
        number: u64,
        /// Each file that is missing or damaged.
        faults: Vec<FileReport>,
    },
    /// The journal did not do its part.
    #[error(transparent)]
    Journal(#[from] Fault),
    /// A file or a directory cannot be read or written.
    #[error(transparent)]
    File(#[from] SegmentError),
}

/// Numbers as people read them.
struct Numbers<'a>(&'a [u64]);

impl fmt::Display for Numbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("there is none");
        }
        let numbers: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "there are {}", numbers.join(", "))
    }
}

/// What is wrong with some files.
struct Faults<'a>(&'a [FileReport]);

impl fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = |report: &FileReport| {
            let what = report.found.as_ref().err()?;
            Some(format!("{}: {what}", report.path.display()))
        };
        let faults: Vec<_> = self.0.iter().filter_map(fault).collect();
        f.write_str(&faults.join("; "))
    }
}
