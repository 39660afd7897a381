use std::io;
use std::path::PathBuf;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The machine refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// Bytes are not what was written.
    #[error("{} is damaged at byte {at}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        at: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A build with another layout wrote it.
    #[error(
        "{} has format {found}, and this build reads format {}; run the build that wrote it",
        path.display(),
        super::head::FORMAT
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It was there when it was opened, and is gone.
    #[error("{} was removed while it was in use", path.display())]
    Vanished {
        /// The file.
        path: PathBuf,
    },
    /// It is a file, but not the one that belongs here.
    #[error("{} does not belong here: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How that shows.
        what: &'static str,
    },
}

/// What Linux says when a disk cannot give what it should hold.
const EIO: i32 = 5;

impl SegmentError {
    pub(crate) fn io(path: &std::path::Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// True if there is no such file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// True if what was written is not there any more as it was written. The machine does its part.
    pub(crate) fn is_damage(&self) -> bool {
        use io::ErrorKind::{NotFound, UnexpectedEof};
        match self {
            Self::Io { source, .. } => matches!(source.kind(), NotFound | UnexpectedEof),
            Self::Format { .. } => false,
            Self::Damaged { .. } | Self::Vanished { .. } | Self::Foreign { .. } => true,
        }
    }

    /// True if what was read is not there any more as it was written, or the disk cannot give it: a
    /// sector that does not match its checksum on the disk is an error of the machine (EIO).
    pub(crate) fn is_loss(&self) -> bool {
        let is_of_the_disk = |source: &io::Error| source.raw_os_error() == Some(EIO);
        self.is_damage() || matches!(self, Self::Io { source, .. } if is_of_the_disk(source))
    }

    /// True if there is such a file already.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }

    /// True if there was no room for it.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

impl From<SegmentError> for io::Error {
    fn from(error: SegmentError) -> Self {
        let kind = match &error {
            SegmentError::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
