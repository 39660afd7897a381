use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use super::change::{Change, ContentChange, FileId, NameChange, Node};
use super::content::Content;

/// Everything that a disk holds: as it is read, as it is durable, and what lies between.
///
/// It follows from the changes alone, so that a recording can be played again.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// How many changes there were.
    pub(super) seq: u64,
    pub(super) next_file: FileId,
    pub(super) live: Image,
    pub(super) durable: Image,
    /// What happened to each file and is not durable yet, oldest first, by `seq`.
    pub(super) contents: BTreeMap<FileId, Vec<(u64, ContentChange)>>,
    /// What happened to names and is not durable yet, oldest first.
    pub(super) names: Vec<(u64, NameChange)>,
}

/// Names and what stands under them.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) names: BTreeMap<Arc<Path>, Node>,
    pub(super) files: BTreeMap<FileId, Content>,
}

impl Image {
    pub(super) fn node(&self, path: &Path) -> Option<Node> {
        if path == Path::new("/") { Some(Node::Dir) } else { self.names.get(path).copied() }
    }

    /// True if some name leads to the file.
    pub(super) fn names_file(&self, file: FileId) -> bool {
        self.names.values().any(|node| *node == Node::File(file))
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.files.values().map(Content::used_bytes).sum()
    }
}

impl State {
    /// What was durable, and nothing else.
    pub(super) fn at_rest(seq: u64, next_file: FileId, durable: Image) -> Self {
        let live = durable.clone();
        Self { seq, next_file, live, durable, contents: BTreeMap::new(), names: Vec::new() }
    }

    pub(super) fn apply(&mut self, change: &Change) {
        self.seq += 1;
        match change {
            Change::Content(file, change) => {
                change.apply(self.live.files.entry(*file).or_default());
                self.contents.entry(*file).or_default().push((self.seq, change.clone()));
            }
            Change::Name(change) => self.apply_name(change),
            Change::Synced { file, upto, well } => self.settle_content(*file, *upto, *well),
            Change::DirSynced { dir, upto, well } => {
                let within = |path: &Arc<Path>| path.parent() == Some(&**dir);
                self.settle_names(*well, |seq, change| seq <= *upto && change.paths().any(within));
            }
            Change::DirMade(dir) => self.settle_names(true, |_, change| match change {
                NameChange::MakeDir { path } => dir.starts_with(path),
                _ => false,
            }),
            Change::Flipped { file, at, mask } => {
                for image in [&mut self.live, &mut self.durable] {
                    if let Some(content) = image.files.get_mut(file) {
                        content.flip(*at, *mask);
                    }
                }
            }
            Change::Crashed(found) => {
                let seq = self.seq;
                *self = Self { seq, ..State::clone(found) };
            }
        }
    }

    fn apply_name(&mut self, change: &NameChange) {
        if let NameChange::Create { file, .. } = change {
            self.next_file = self.next_file.max(file + 1);
            self.live.files.insert(*file, Content::default());
            self.durable.files.insert(*file, Content::default());
        }
        change.apply(&mut self.live.names);
        self.names.push((self.seq, change.clone()));
    }

    /// Makes durable, or gives up, what happened to the file up to `upto`.
    fn settle_content(&mut self, file: FileId, upto: u64, well: bool) {
        let Some(pending) = self.contents.get_mut(&file) else { return };
        let later = pending.iter().position(|(seq, _)| *seq > upto).unwrap_or(pending.len());
        for (_, change) in pending.drain(..later) {
            if well && let Some(content) = self.durable.files.get_mut(&file) {
                change.apply(content);
            }
        }
        if pending.is_empty() {
            self.contents.remove(&file);
        }
    }

    /// Makes durable, or gives up, the changes of names that `covered` says, and those before them
    /// of the same names: a name must not go back to what it was before.
    fn settle_names(&mut self, well: bool, covered: impl Fn(u64, &NameChange) -> bool) {
        let mut touched = BTreeSet::new();
        let mut settled = Vec::new();
        let mut kept = Vec::new();
        for (seq, change) in self.names.drain(..).rev() {
            if covered(seq, &change) || change.paths().any(|path| touched.contains(path)) {
                touched.extend(change.paths().cloned());
                settled.push(change);
            } else {
                kept.push((seq, change));
            }
        }
        kept.reverse();
        self.names = kept;
        if well {
            settled.iter().rev().for_each(|change| change.apply(&mut self.durable.names));
        }
    }

    /// Lets go of a file that nobody has open, where nothing leads to it any more.
    pub(super) fn collect(&mut self, file: FileId) {
        if self.live.names_file(file) {
            return;
        }
        self.live.files.remove(&file);
        let pending = self.names.iter().any(|(_, change)| change.file() == Some(file));
        if !pending && !self.durable.names_file(file) {
            self.durable.files.remove(&file);
            self.contents.remove(&file);
        }
    }

    /// True if a loss of power changes nothing.
    pub(super) fn is_durable(&self) -> bool {
        self.contents.is_empty() && self.names.is_empty()
    }

    /// A hash of what is read: names and contents.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (path, node) in &self.live.names {
            path.hash(&mut hasher);
            match node {
                Node::Dir => hasher.write_u8(0),
                Node::File(file) => {
                    hasher.write_u8(1);
                    if let Some(content) = self.live.files.get(file) {
                        content.hash(&mut hasher);
                    }
                }
            }
        }
        hasher.finish()
    }
}
