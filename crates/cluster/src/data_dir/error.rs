use std::io;
use std::path::PathBuf;

use catga_core::{Fault, FaultCode, NodeName};
use catga_journal::segment::SegmentError;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// It cannot be made, listed or locked.
    #[error(
        "the data directory {} cannot be used: {source}; it must be a directory that this user \
         may write to",
        dir.display()
    )]
    Unusable {
        /// Which.
        dir: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// Another process has it.
    #[error(
        "the data directory {} is in use by another process: stop that one, or give this node a \
         directory of its own",
        dir.display()
    )]
    InUse {
        /// Which.
        dir: PathBuf,
    },
    /// It belongs to another node.
    #[error(
        "the data directory {} belongs to the node `{owner}`, and this is `{name}`: give it its \
         own directory, or start it under its name",
        dir.display()
    )]
    OfAnother {
        /// Which.
        dir: PathBuf,
        /// Whose it is.
        owner: NodeName,
        /// Who wanted it.
        name: NodeName,
    },
    /// It holds something, and does not say whose it is.
    #[error(
        "the data directory {} holds `{other}` and no identity: it is no data directory, or its \
         file `identity` is lost. Name an empty directory, or restore this one from a backup",
        dir.display()
    )]
    NoIdentity {
        /// Which.
        dir: PathBuf,
        /// What it holds.
        other: String,
    },
    /// Its log is gone, and with it whom the node has voted for and what it has acknowledged.
    #[error(
        "the log in {} is gone, and the node has had one: without it, it could vote twice and lack what \
         it has acknowledged. Replace the node (empty the data directory, where others have its data), \
         or restore a backup into another directory",
        dir.display()
    )]
    LogIsGone {
        /// Where it was.
        dir: PathBuf,
    },
    /// It was to be made of a backup, and was not in full.
    #[error(
        "a restore into {} was interrupted, and what it holds is of no use: remove the directory, \
         and restore the backup again",
        dir.display()
    )]
    HalfRestored {
        /// Which.
        dir: PathBuf,
    },
    /// A backup is not restored over anything.
    #[error(
        "{} holds `{found}`, and a backup is restored into an empty directory: name one that is, or \
         that does not exist",
        dir.display()
    )]
    NotEmpty {
        /// Which.
        dir: PathBuf,
        /// What it holds.
        found: String,
    },
    /// Its identity cannot be read or written.
    #[error(transparent)]
    Identity(#[from] SegmentError),
}

impl From<DataDirError> for Fault {
    fn from(error: DataDirError) -> Self {
        let code = match &error {
            DataDirError::Identity(file) if file.is_full() => FaultCode::StorageFull,
            DataDirError::Unusable { source, .. } if is_full(source) => FaultCode::StorageFull,
            DataDirError::NoIdentity { .. }
            | DataDirError::HalfRestored { .. }
            | DataDirError::LogIsGone { .. }
            | DataDirError::Identity(_) => FaultCode::Unreadable,
            _ => FaultCode::LogUnavailable,
        };
        Self::new(code, error.to_string())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_has_no_room_is_full() {
        for (kind, code) in [
            (io::ErrorKind::StorageFull, FaultCode::StorageFull),
            (io::ErrorKind::QuotaExceeded, FaultCode::StorageFull),
            (io::ErrorKind::PermissionDenied, FaultCode::LogUnavailable),
        ] {
            let error = DataDirError::Unusable { dir: "data".into(), source: kind.into() };
            assert_eq!(Fault::from(error).code(), code);
        }
    }
}
