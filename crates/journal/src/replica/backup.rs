//! A backup of what this replica has, while it goes on.

use std::sync::{Arc, Weak};
use std::time::Duration;

use catga_core::{Fault, FaultCode, Offset, Timestamp};
use catga_host::Host;
use tokio::sync::oneshot;

use super::checkpointer::HEARD_OF;
use super::faults;
use super::pieces::disk;
use super::shared::Shared;
use crate::stored::backups::Label;
use crate::stored::{Manifest, PiecesOut};
use crate::{Backup, BackupError, Backups, Log};

/// How often a checkpoint is tried that turned out to be damaged while it was copied, or changed
/// because it was mended.
const ATTEMPTS: u32 = 5;

/// How long another node may take to mend what is damaged, before the next attempt.
const MENDED_AFTER: Duration = Duration::from_secs(1);

/// Starts a backup of everything up to `from` at least; what comes of it. It ends early only with the
/// replica.
pub(super) fn backup<L: Log>(
    log: &Arc<L>,
    shared: &Arc<Shared>,
    into: Backups,
    from: Offset,
) -> impl Future<Output = Result<Backup, BackupError>> + use<L> {
    let host = shared.disk.as_ref().map(|disk| Arc::clone(&disk.host));
    let (log, shared) = (Arc::downgrade(log), Arc::downgrade(shared));
    async move {
        let host = host.ok_or(BackupError::NoDisk)?;
        let source = Source { log, shared, host: Arc::clone(&host) };
        let (done, made) = oneshot::channel();
        let task = async move {
            // Whoever asked may have gone.
            let _ = done.send(source.back_up(&into, from).await);
        };
        drop(host.spawn_behind("backup", Box::pin(task)));
        made.await.unwrap_or_else(|_| Err(Fault::internal("the backup was given up").into()))
    }
}

/// The replica that is backed up. It is not kept from ending.
struct Source<L> {
    log: Weak<L>,
    shared: Weak<Shared>,
    host: Arc<dyn Host>,
}

impl<L: Log> Source<L> {
    async fn back_up(&self, into: &Backups, from: Offset) -> Result<Backup, BackupError> {
        let store = into.store(&self.host.files()).await?;
        let _lock = store.lock()?;
        let at = Timestamp::from_millis(self.host.wall_ms());
        let weak = self.shared.clone();
        let goes_on = move || alive(&weak).map(drop);
        let mut attempts_left = ATTEMPTS;
        loop {
            attempts_left -= 1;
            let (manifest, mut pieces, label) = self.checkpoint(from, at).await?;
            match store.take(&mut pieces, &manifest, &label, &goes_on).await {
                Ok(record) => {
                    let (backup, node) = (record.backup(), &label.node);
                    let Backup { number, new_pieces, new_bytes, .. } = backup;
                    let position = backup.position;
                    tracing::info!(%node, number, %position, new_pieces, new_bytes, "backed up");
                    return Ok(backup);
                }
                Err(BackupError::Journal(fault)) if attempts_left > 0 && may_pass(&fault) => {
                    tracing::warn!(node = %label.node, %fault, "a backup begins again");
                    self.host.sleep(MENDED_AFTER).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A durable checkpoint that holds everything up to `from`, with its pieces held.
    async fn checkpoint(
        &self,
        from: Offset,
        at: Timestamp,
    ) -> Result<(Manifest, PiecesOut, Label), BackupError> {
        loop {
            let shared = alive(&self.shared)?;
            let disk = disk(&shared)?;
            {
                // Nothing is removed meanwhile.
                let _turn = disk.turn.lock().await;
                if let Some(newest) = disk.newest().filter(|newest| newest.offset() >= from) {
                    let opened = PiecesOut::open(disk.checkpoints.clone(), &newest)?;
                    let (cluster, node) = (disk.options.cluster.clone(), shared.node.clone());
                    return Ok((newest, opened, Label { cluster, node, at }));
                }
            }
            if shared.read(|state| state.index)?.is_none() {
                return Err(BackupError::Nothing);
            }
            drop(shared);
            let Some(log) = self.log.upgrade() else { return Err(faults::shutting_down().into()) };
            log.snapshot().await?;
            // The log may not have heard yet of what its applier has done.
            self.host.sleep(HEARD_OF).await;
        }
    }
}

/// The replica, as long as it goes on.
fn alive(shared: &Weak<Shared>) -> Result<Arc<Shared>, Fault> {
    let shared = shared.upgrade().filter(|shared| !shared.applied.is_closed());
    shared.ok_or_else(faults::shutting_down)
}

/// True if the next checkpoint, or the same one after it was mended, may not have the fault.
fn may_pass(fault: &Fault) -> bool {
    matches!(fault.code(), FaultCode::HistoryDamaged | FaultCode::Unreadable)
}
