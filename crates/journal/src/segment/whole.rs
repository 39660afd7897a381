use std::io;
use std::path::Path;

use bytes::Bytes;
use catga_host::{File, Files, Open};

use super::frame::{FRAME_BYTES, end_of, put};
use super::head::HEAD_BYTES;
use super::{FileKind, FrameKind, Head, SYNC_BYTES, SegmentError, SegmentReader};
use crate::planted::Planted;

/// How the name of a file ends that is not whole yet.
const UNFINISHED: &str = "new";

/// Puts a small file in the place of another in one step: a single frame with `payload`. It and
/// its name are durable when this returns; until then the former file is whole.
///
/// # Errors
/// When the machine refuses. The former file is as it was.
pub async fn write_whole(
    files: &dyn Files,
    path: &Path,
    kind: FileKind,
    position: u64,
    payload: &[u8],
) -> Result<(), SegmentError> {
    let io = |error| SegmentError::io(path, error);
    let new = path.with_extension(UNFINISHED);
    let salt = catga_core::payload_hash(payload);
    let mut bytes = Head { kind, first: position, salt, note: 0 }.encode().to_vec();
    put(&mut bytes, salt, HEAD_BYTES as u64, FrameKind::OWNER, position, &[payload]);
    // What an attempt before left behind.
    match files.remove(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let file = files.open(&new, Open::Create).map_err(io)?;
    let written = write_synced(&*file, &bytes, !unsynced(kind)).await;
    if let Err(error) = written {
        let _ = files.remove(&new);
        return Err(io(error));
    }
    files.rename(&new, path).map_err(io)?;
    if unsynced(kind) {
        return Ok(());
    }
    files.sync_dir(path.parent().unwrap_or(Path::new(""))).await.map_err(io)
}

/// Removes what a process that died while it [wrote a file](write_whole) has left in `dir`: where each
/// file has a name of its own, nobody would write that one again.
///
/// # Errors
/// When the machine refuses.
pub fn remove_unfinished(files: &dyn Files, dir: &Path) -> Result<(), SegmentError> {
    let io = |error| SegmentError::io(dir, error);
    for name in files.list(dir).map_err(io)? {
        if Path::new(&name).extension().is_some_and(|end| end == UNFINISHED) {
            files.remove(&dir.join(name)).map_err(io)?;
        }
    }
    Ok(())
}

/// Writes `bytes`, and syncs them as they come.
async fn write_synced(file: &dyn File, bytes: &[u8], synced: bool) -> io::Result<()> {
    for (piece, at) in bytes.chunks(SYNC_BYTES as usize).zip((0..).step_by(SYNC_BYTES as usize)) {
        file.write_at(piece, at)?;
        if synced {
            file.sync().await?;
        }
    }
    Ok(())
}

fn unsynced(kind: FileKind) -> bool {
    kind == FileKind::Checkpoint && Planted::CheckpointNotSynced.is_here()
}

/// Reads what [`write_whole`] wrote: position and payload. None if there is no such file.
///
/// # Errors
/// When it cannot be read, is damaged, or is of another kind.
pub fn read_whole(
    files: &dyn Files,
    path: &Path,
    kind: FileKind,
) -> Result<Option<(u64, Bytes)>, SegmentError> {
    let reader = match SegmentReader::open(files, path, kind) {
        Ok(reader) => reader,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let frame = reader.read(HEAD_BYTES as u64)?;
    let len = reader.file.len().map_err(|error| SegmentError::io(path, error))?;
    if len != end_of(HEAD_BYTES as u64, frame.payload.len()) {
        return Err(reader.damaged(len, "the file has another length than its frame"));
    }
    debug_assert!(frame.at + FRAME_BYTES as u64 <= len);
    Ok(Some((frame.position, frame.payload)))
}
