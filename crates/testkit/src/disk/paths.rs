use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The path from the root on, without `.` and `..`: the simulated process works in `/`.
pub(super) fn absolute(path: &Path) -> Arc<Path> {
    let mut whole = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir => _ = whole.pop(),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    whole.into()
}

/// The directory that the name stands in.
pub(super) fn dir_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}
