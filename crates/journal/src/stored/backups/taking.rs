use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use catga_core::{Fault, FaultCode, NodeName, Timestamp, payload_hash};
use catga_host::Open;

use super::BackupError;
use super::kept::{Kept, Kind, READ};
use super::record::Record;
use super::store::Store;
use crate::segment::{SYNC_BYTES, SegmentError};
use crate::stored::manifest::{Manifest, Piece};
use crate::stored::outgoing::PiecesOut;
use crate::stored::part::{Check, Part};
use crate::stored::staging::Held;
use crate::{Outgoing, PiecePlace};

/// Where a backup comes from, and when.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) cluster: String,
    pub(crate) node: NodeName,
    pub(crate) at: Timestamp,
}

/// Says why a backup is not wanted any more, once it is not.
pub(crate) type GoesOn<'a> = &'a (dyn Fn() -> Result<(), Fault> + Send + Sync);

/// What is there before a backup, for who looks for pieces.
#[derive(Default)]
struct There {
    /// By what they are to a replica.
    named: BTreeMap<String, Kept>,
    /// Of which cluster the newest backup is.
    cluster: Option<String>,
    /// Those that no manifest names: a backup was interrupted that had copied them.
    orphans: Vec<Kept>,
}

impl Store {
    /// Adds a backup of the checkpoint with `manifest`, whose pieces `source` has; `goes_on` says
    /// now and then whether that is still wanted. Whoever calls it has the lock.
    ///
    /// # Errors
    /// When the machine refuses, or a piece is damaged at its source. What was copied is of use to
    /// the next attempt.
    pub(crate) async fn take(
        &self,
        source: &mut PiecesOut,
        manifest: &Manifest,
        label: &Label,
        goes_on: GoesOn<'_>,
    ) -> Result<Record, BackupError> {
        let dir = self.pieces_dir();
        let io = |error| SegmentError::io(&dir, error);
        self.files.create_dir(&dir).await.map_err(io)?;
        let there = self.there()?;
        if let Some(found) = there.cluster.as_ref().filter(|found| is_another(found, label)) {
            let (dir, found, own) = (self.dir.clone(), found.clone(), label.cluster.clone());
            return Err(BackupError::OfAnotherCluster { dir, found, own });
        }
        let (mut kept, mut new) = (Vec::new(), (0, 0));
        for (number, piece) in (0..).zip(manifest.pieces()) {
            goes_on()?;
            let found = match self.find(&there, &piece)? {
                Some(found) => found,
                None => {
                    let copied = self.copy(source, number, &piece, label, goes_on).await?;
                    new = (new.0 + 1, new.1 + copied.length);
                    copied
                }
            };
            kept.push(found);
        }
        // A process that ended by itself may have left names that only look durable.
        self.files.sync_dir(&dir).await.map_err(io)?;
        let Label { cluster, node, at } = label.clone();
        let number = self.numbers()?.last().map_or(1, |last| last + 1);
        let record = Record { number, cluster, node, at, new, manifest: manifest.clone(), kept };
        self.write(&record).await?;
        self.tidy().await;
        Ok(record)
    }

    /// What is there. A manifest that cannot be read is passed over: what it names is found by
    /// looking.
    fn there(&self) -> Result<There, SegmentError> {
        let mut there = There::default();
        for number in self.numbers()? {
            match self.read(number) {
                Ok(record) => {
                    there.cluster = Some(record.cluster.clone());
                    let pieces = record.pieces().into_iter();
                    there.named.extend(pieces.map(|(piece, kept)| (piece.name(), kept)));
                }
                Err(error) => tracing::warn!(%error, "a backup cannot be read"),
            }
        }
        let known: BTreeSet<Kept> = there.named.values().copied().collect();
        let found = self.list(&self.pieces_dir())?;
        let found = found.iter().filter_map(|name| Kept::of_name(name));
        there.orphans = found.filter(|kept| !known.contains(kept)).collect();
        Ok(there)
    }

    /// The file that has the piece, and is as it should be.
    fn find(&self, there: &There, piece: &Piece) -> Result<Option<Kept>, SegmentError> {
        let checked = |checked: Result<(), SegmentError>| match checked {
            Ok(()) => Ok(true),
            Err(error) if error.is_damage() => {
                tracing::warn!(%error, "a piece of a backup is of no use");
                Ok(false)
            }
            Err(error) => Err(error),
        };
        // What it is to a replica was looked at when it was copied.
        if let Some(named) = there.named.get(&piece.name())
            && checked(self.check_bytes(named).map(drop))?
        {
            return Ok(Some(*named));
        }
        let might_be = |kept: &&Kept| (kept.kind, kept.length) == (Kind::of(piece), piece.length());
        for orphan in there.orphans.iter().filter(might_be) {
            if checked(self.check(piece, orphan))? {
                return Ok(Some(*orphan));
            }
        }
        Ok(None)
    }

    /// Copies a piece, or goes on with what an interrupted backup has copied of it.
    async fn copy(
        &self,
        source: &mut PiecesOut,
        number: u32,
        piece: &Piece,
        label: &Label,
        goes_on: GoesOn<'_>,
    ) -> Result<Kept, BackupError> {
        // Another node's part of a segment may be in other batches.
        let node = payload_hash(label.node.as_str().as_bytes());
        let path = self.pieces_dir().join(piece.part_name(node));
        let mut is_last = false;
        loop {
            let check = Check::new(piece, &Held::default());
            let mut part = Part::open(&*self.files, path.clone(), check, piece.length())?;
            let error = match fill(&mut part, source, number, piece.length(), goes_on).await {
                Ok(()) => return Ok(self.keep(piece, &path).await?),
                Err(Unfilled::Stopped(error)) => return Err(error),
                Err(Unfilled::Unsynced(error)) => {
                    // If that fails too, there is nothing else to be done.
                    let _ = part.discard(&*self.files);
                    return Err(error.into());
                }
                Err(Unfilled::Damaged(error)) => error,
            };
            part.discard(&*self.files)?;
            if is_last {
                source.doubt(number);
                let message = format!("what is to be backed up is damaged on this node: {error}");
                return Err(Fault::new(FaultCode::HistoryDamaged, message).into());
            }
            // What was there of it may have been of another file.
            is_last = true;
        }
    }

    /// Gives a piece that has come to its end, and is durable, the name that it has by its bytes.
    async fn keep(&self, piece: &Piece, path: &Path) -> Result<Kept, SegmentError> {
        let io = |error| SegmentError::io(path, error);
        let file = self.files.open(path, Open::Read).map_err(io)?;
        let kept = Kept::of_file(Kind::of(piece), &*file, path, piece.length())?;
        let own = self.piece_path(&kept);
        self.files.rename(path, &own).map_err(io)?;
        let dir = self.pieces_dir();
        if let Err(error) = self.files.sync_dir(&dir).await {
            // Nobody knows whether the name is durable, whatever is synced later.
            let _ = self.files.remove(&own);
            return Err(SegmentError::io(&dir, error));
        }
        Ok(kept)
    }
}

/// True if the backups of the cluster `found` are none of the one that is to be added. A process of
/// its own has no cluster, and may grow to one.
fn is_another(found: &str, label: &Label) -> bool {
    !found.is_empty() && !label.cluster.is_empty() && found != label.cluster
}

/// Why a part did not come to its end.
enum Unfilled {
    /// What there is of it is good.
    Stopped(BackupError),
    /// Nobody knows what of it is durable, whatever is synced later.
    Unsynced(SegmentError),
    /// It is not what it must be.
    Damaged(SegmentError),
}

/// Adds what the part lacks; it is durable when this returns.
async fn fill(
    part: &mut Part,
    source: &mut PiecesOut,
    number: u32,
    length: u64,
    goes_on: GoesOn<'_>,
) -> Result<(), Unfilled> {
    while part.has() < length {
        let at = PiecePlace { piece: number, offset: part.has() };
        let bytes = goes_on().and_then(|()| source.read(at, READ));
        let bytes = bytes.map_err(|fault| Unfilled::Stopped(fault.into()))?;
        part.push(&bytes).map_err(|error| match error.is_damage() {
            true => Unfilled::Damaged(error),
            false => Unfilled::Stopped(error.into()),
        })?;
        if part.unsynced() >= SYNC_BYTES {
            part.sync().await.map_err(Unfilled::Unsynced)?;
            part.note_synced();
        }
    }
    part.sync().await.map_err(Unfilled::Unsynced)
}
