//! The files of the log: how they are called, and how a new one comes to be.

use std::path::{Path, PathBuf};

use catga_host::{Files, Host};
use catga_journal::segment::{FileKind, Head, SegmentError, SegmentWriter};

use super::StorageOptions;

/// What a new segment's first records take at most.
pub(super) const ROLL_BYTES: usize = 1024;

pub(super) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}.log"))
}

/// A new segment, durable under its name, with room for a record of `len` bytes.
pub(super) async fn create(
    host: &dyn Host,
    files: &dyn Files,
    dir: &Path,
    number: u64,
    len: usize,
    options: &StorageOptions,
) -> Result<SegmentWriter, SegmentError> {
    let path = segment_path(dir, number);
    let head = Head { kind: FileKind::Log, first: 0, salt: host.random(), note: number };
    let capacity = options.segment_bytes.max((len + 2 * ROLL_BYTES) as u64);
    let mut writer = SegmentWriter::create(files, &path, head, capacity)?;
    writer.sync().await?;
    let synced = files.sync_dir(dir).await;
    synced.map_err(|source| SegmentError::Io { path: dir.to_owned(), source })?;
    Ok(writer)
}
