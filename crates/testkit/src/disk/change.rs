use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;
use std::sync::Arc;

use super::content::Content;
use super::state::State;

/// Which file it is, whatever its names are.
pub(super) type FileId = u64;

/// Something that happened to a disk. A [`State`] and what happened give the next state.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Content(FileId, ContentChange),
    Name(NameChange),
    /// What happened to the file up to `upto` is durable, or will never be.
    Synced {
        file: FileId,
        upto: u64,
        well: bool,
    },
    /// What happened to the names in `dir` up to `upto` is durable, or will never be.
    DirSynced {
        dir: Arc<Path>,
        upto: u64,
        well: bool,
    },
    /// The directory and those above it are durable.
    DirMade(Arc<Path>),
    Flipped {
        file: FileId,
        at: u64,
        mask: u8,
    },
    /// The power went: this is what was found afterwards.
    Crashed(Box<State>),
}

/// What happens to what a file holds.
#[derive(Clone, Debug)]
pub(super) enum ContentChange {
    Write { at: u64, data: Arc<[u8]> },
    SetLen(u64),
    Allocate(u64),
}

impl ContentChange {
    pub(super) fn apply(&self, content: &mut Content) {
        match self {
            Self::Write { at, data } => content.write(data, *at),
            Self::SetLen(len) => content.set_len(*len),
            Self::Allocate(len) => content.allocate(*len),
        }
    }
}

/// What happens to the names of files and directories.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Create { path: Arc<Path>, file: FileId },
    Remove { path: Arc<Path> },
    Rename { from: Arc<Path>, to: Arc<Path>, file: FileId },
    MakeDir { path: Arc<Path> },
}

impl NameChange {
    /// The names that it changes.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Arc<Path>> {
        let (path, other) = match self {
            Self::Create { path, .. } | Self::Remove { path } | Self::MakeDir { path } => {
                (path, None)
            }
            Self::Rename { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(path).chain(other)
    }

    /// The file that it gives a name to.
    pub(super) fn file(&self) -> Option<FileId> {
        match self {
            Self::Create { file, .. } | Self::Rename { file, .. } => Some(*file),
            Self::Remove { .. } | Self::MakeDir { .. } => None,
        }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<Arc<Path>, Node>) {
        match self {
            Self::Create { path, file } => _ = names.insert(Arc::clone(path), Node::File(*file)),
            Self::Remove { path } => _ = names.remove(path),
            Self::Rename { from, to, file } => {
                names.remove(from);
                names.insert(Arc::clone(to), Node::File(*file));
            }
            Self::MakeDir { path } => _ = names.insert(Arc::clone(path), Node::Dir),
        }
    }
}

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(FileId),
    Dir,
}

/// As a trace says it; of data its length and its hash.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(file, ContentChange::Write { at, data }) => {
                let mut hasher = DefaultHasher::new();
                hasher.write(data);
                let (len, hash) = (data.len(), hasher.finish());
                write!(f, "write #{file} {at}+{len} {hash:016x}")
            }
            Self::Content(file, ContentChange::SetLen(len)) => write!(f, "set-len #{file} {len}"),
            Self::Content(file, ContentChange::Allocate(len)) => {
                write!(f, "allocate #{file} {len}")
            }
            Self::Name(NameChange::Create { path, file }) => {
                write!(f, "create #{file} {}", path.display())
            }
            Self::Name(NameChange::Remove { path }) => write!(f, "remove {}", path.display()),
            Self::Name(NameChange::Rename { from, to, file }) => {
                write!(f, "rename #{file} {} {}", from.display(), to.display())
            }
            Self::Name(NameChange::MakeDir { path }) => write!(f, "make-dir {}", path.display()),
            Self::Synced { file, upto, well } => write!(f, "synced #{file} {upto} {well}"),
            Self::DirSynced { dir, upto, well } => {
                write!(f, "dir-synced {} {upto} {well}", dir.display())
            }
            Self::DirMade(dir) => write!(f, "dir-made {}", dir.display()),
            Self::Flipped { file, at, mask } => write!(f, "flip #{file} {at} {mask:#04x}"),
            Self::Crashed(found) => write!(f, "crash {:016x}", found.digest()),
        }
    }
}
