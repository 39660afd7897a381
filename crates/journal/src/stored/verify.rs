use std::path::{Path, PathBuf};
use std::sync::Arc;

use catga_host::Files;

use super::checkpoint::Checkpoints;
use crate::amount::amount;
use crate::archive::verify::Claims;
use crate::index;
use crate::segment::SegmentError;

/// One file of a replica, for tools.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// What it holds, or what is wrong with it, which does not name it again.
    pub found: Result<String, String>,
}

impl FileReport {
    /// What a reader of the file at `path` found.
    pub fn new(path: PathBuf, found: Result<String, impl ToString>) -> Self {
        let found = found.map_err(|error| {
            let error = error.to_string();
            let what = error.strip_prefix(&*path.to_string_lossy());
            let what = what.and_then(|what| what.strip_prefix(' ').or(what.strip_prefix(": ")));
            what.map(ToOwned::to_owned).unwrap_or(error)
        });
        Self { path, found }
    }
}

/// Reads every byte of what the replica in `dir` keeps: its checkpoints, the history and the
/// index. Each file is in the answer once; one that a checkpoint needs and that is gone is too.
/// Changes nothing, and may run beside a replica whose files then change under it.
pub fn verify_history(files: &Arc<dyn Files>, dir: &Path) -> Vec<FileReport> {
    let checkpoints = Checkpoints::new(Arc::clone(files), dir.to_owned());
    let paths = match checkpoints.newest_first() {
        Ok(paths) => paths,
        Err(error) => return vec![FileReport::new(dir.to_owned(), Err(error))],
    };
    let mut claims = Claims::new(Arc::clone(files), checkpoints.history_dir());
    let mut tables = Vec::new();
    let mut reports = Vec::new();
    for path in paths {
        let found = checkpoints.read_alone(&path).and_then(|(offset, checkpoint)| {
            if claims.add(&checkpoint.archive) != Some(offset) {
                let what = "its history ends elsewhere";
                return Err(SegmentError::Foreign { path: path.clone(), what });
            }
            tables.extend(&checkpoint.tables);
            let tables = amount(checkpoint.tables.len() as u64, "table");
            let (term, index) = (checkpoint.index.term, checkpoint.index.index);
            Ok(format!("offset {offset}, entry {index} of term {term}, {tables}"))
        });
        reports.push(FileReport::new(path, found));
    }
    let segments = claims.verify();
    let tables = index::verify::verify(Arc::clone(files), checkpoints.index_dir(), &tables);
    let others = segments.into_iter().chain(tables);
    reports.extend(others.map(|(path, found)| FileReport::new(path, found)));
    reports
}
