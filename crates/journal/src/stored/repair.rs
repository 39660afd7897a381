use std::path::PathBuf;
use std::sync::Arc;

use catga_host::Files;

use super::checkpoint::Checkpoints;
use super::part::{Check, Part};
use crate::HistorySegment;
use crate::archive::arriving::{Arriving, Expected};
use crate::archive::segment_path;
use crate::segment::SegmentError;

/// How the name of a file ends that has not come whole.
const EXTENSION: &str = "mending";

/// A segment of the history that comes from another node, because the own one is damaged.
#[derive(Debug)]
pub(crate) struct Repair {
    files: Arc<dyn Files>,
    dir: PathBuf,
    /// Where the damaged one is.
    own: PathBuf,
    part: Part,
}

impl Repair {
    /// Begins with nothing: a file of `length` bytes is to come.
    pub(crate) fn begin(
        checkpoints: &Checkpoints,
        segment: &HistorySegment,
        length: u64,
    ) -> Result<Self, SegmentError> {
        let HistorySegment { first, last, hash, is_sealed } = *segment;
        let dir = checkpoints.history_dir();
        let own = segment_path(&dir, first);
        let path = own.with_extension(EXTENSION);
        let files = Arc::clone(checkpoints.files());
        if let Err(error) = files.remove(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(SegmentError::io(&path, error));
        }
        let expected = Expected { first, last, hash, length, is_sealed, own: None };
        let check = Check::Segment(Box::new(Arriving::new(expected)));
        let part = Part::open(&*files, path, check, length)?;
        Ok(Self { files, dir, own, part })
    }

    /// Removes what a process that ended in the middle has left: whatever is still damaged is
    /// fetched anew, and nobody else would look for it.
    ///
    /// # Errors
    /// When the machine refuses.
    pub(crate) fn remove_unfinished(checkpoints: &Checkpoints) -> Result<(), SegmentError> {
        let (files, dir) = (checkpoints.files(), checkpoints.history_dir());
        let removed = files.list(&dir).and_then(|names| {
            let paths = names.iter().map(|name| dir.join(name));
            let mut left = paths.filter(|path| path.extension().is_some_and(|it| it == EXTENSION));
            left.try_for_each(|path| files.remove(&path))
        });
        removed.map_err(|error| SegmentError::io(&dir, error))
    }

    /// How many bytes have come.
    pub(crate) fn has(&self) -> u64 {
        self.part.has()
    }

    /// Takes the next bytes; true if all have come, and are what they must be.
    ///
    /// # Errors
    /// When it turns out that they are not, or the machine refuses.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<bool, SegmentError> {
        self.part.push(bytes)?;
        Ok(self.part.is_complete())
    }

    /// Puts it in the place of the damaged one, durably.
    pub(crate) async fn put_in_place(self) -> Result<(), SegmentError> {
        self.part.sync().await?;
        let path = self.part.path();
        let renamed = self.files.rename(path, &self.own);
        renamed.map_err(|error| SegmentError::io(path, error))?;
        let synced = self.files.sync_dir(&self.dir).await;
        synced.map_err(|error| SegmentError::io(&self.dir, error))
    }

    /// Removes what has come.
    pub(crate) fn give_up(self) -> Result<(), SegmentError> {
        self.part.discard(&*self.files)
    }
}
