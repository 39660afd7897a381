use std::io;
use std::path::PathBuf;

use catga_core::{Fault, FaultCode};
use catga_journal::segment::SegmentError;

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The directory cannot be used.
    #[error("the log's directory {}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// A file cannot be read or written, or is not as it was written.
    #[error(transparent)]
    File(#[from] SegmentError),
    /// Something that was durable is gone or changed.
    #[error(
        "the log is damaged: {} at byte {at}: {what}; nothing was changed on disk. Restore the \
         data directory from a backup, or replace the node",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        at: u64,
        /// What is wrong there.
        what: String,
    },
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        let code = match &error {
            StorageError::File(file) if file.is_full() => FaultCode::StorageFull,
            StorageError::Directory { .. } | StorageError::File(SegmentError::Io { .. }) => {
                FaultCode::LogUnavailable
            }
            _ => FaultCode::Unreadable,
        };
        Self::new(code, error.to_string())
    }
}
