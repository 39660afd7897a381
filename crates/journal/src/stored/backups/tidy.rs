use std::collections::BTreeSet;

use super::kept::Kept;
use super::store::{Store, number};
use crate::segment::SegmentError;

/// How the name of what is only begun ends.
pub(super) const PART: &str = ".part";

impl Store {
    /// Removes the backups that are not kept any more, and what is left of such that were never
    /// completed. Whoever calls it has the lock, and nothing of a new one is waiting for its manifest.
    pub(super) async fn tidy(&self) {
        if let Err(error) = self.try_tidy().await {
            // It only takes up room; the next backup tries again.
            let dir = self.dir.display();
            tracing::warn!(%error, %dir, "cannot remove what is left of old backups");
        }
    }

    async fn try_tidy(&self) -> Result<(), SegmentError> {
        self.remove_old().await?;
        let records = self.numbers()?.into_iter().map(|number| self.read(number));
        // One that cannot be read is no reason to remove anything that it may name.
        let Ok(records) = records.collect::<Result<Vec<_>, _>>() else { return Ok(()) };
        let kept = records.iter().flat_map(|record| &record.kept);
        let named: BTreeSet<String> = kept.map(Kept::name).collect();
        let dir = self.pieces_dir();
        for name in self.list(&dir)? {
            let is_own = Kept::of_name(&name).is_some() || name.ends_with(PART);
            if is_own && !named.contains(&name) {
                self.remove(&dir.join(name))?;
            }
        }
        for name in self.list(&self.dir)? {
            // What a manifest was to be made of.
            let of = name.strip_suffix(".new").map(|stem| format!("{stem}.backup"));
            if of.is_some_and(|manifest| number(&manifest).is_some()) {
                self.remove(&self.dir.join(name))?;
            }
        }
        Ok(())
    }

    /// Removes the manifests of those that are not kept, durably: no piece of theirs goes before.
    async fn remove_old(&self) -> Result<(), SegmentError> {
        let Some(keep) = self.keep else { return Ok(()) };
        let numbers = self.numbers()?;
        let mut newest = numbers.iter().rev().filter(|number| self.read(**number).is_ok());
        let Some(oldest) = newest.nth(keep - 1).copied() else { return Ok(()) };
        for old in numbers.into_iter().take_while(|number| *number < oldest) {
            self.remove(&self.path(old))?;
        }
        let synced = self.files.sync_dir(&self.dir).await;
        synced.map_err(|error| SegmentError::io(&self.dir, error))
    }

    pub(super) fn list(&self, dir: &std::path::Path) -> Result<Vec<String>, SegmentError> {
        self.files.list(dir).map_err(|error| SegmentError::io(dir, error))
    }

    fn remove(&self, path: &std::path::Path) -> Result<(), SegmentError> {
        self.files.remove(path).map_err(|error| SegmentError::io(path, error))
    }
}
