use std::sync::Arc;

use catga_core::Fault;
use tokio::sync::oneshot;

use crate::node::shutting_down;
use crate::{Backup, BackupError, Backups, Node};

impl Node {
    /// Adds a backup of the journal to those in a directory, which is made if it is missing, while
    /// the node serves. In it is everything that was acknowledged before the call, on whichever
    /// node, as of one moment: history, recorded answers, keys, sessions, cursors, dead letters. What
    /// an earlier backup there has already is not copied again.
    ///
    /// Any node on disk can make one. If one node is to be spared, let another do it.
    ///
    /// ```no_run
    /// # async fn example(node: catga_runtime::Node) -> Result<(), catga_runtime::BackupError> {
    /// use catga_runtime::Backups;
    ///
    /// let backup = node.backup(Backups::new("/backups/shop").keep(7)).await?;
    /// println!("backup {}: all up to {}", backup.number, backup.position);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the node keeps nothing on disk; when no leader confirms what was acknowledged; when
    /// another backup is being made in the directory, or it holds something else; when the machine
    /// refuses, or what is here is damaged. What was copied is of use to the next attempt.
    ///
    /// # Cancel safety
    /// Once it is copying, it goes on, whoever waits for it.
    pub async fn backup(&self, into: impl Into<Backups>) -> Result<Backup, BackupError> {
        let inner = &self.0;
        if !inner.lifecycle.is_running() {
            return Err(shutting_down().into());
        }
        let into = into.into();
        let dir = into.dir().display().to_string();
        let making = match inner.confirmed_head(inner.limits.deadline).await {
            Ok(head) => inner.journal.backup(into, head.offset),
            Err(fault) => Box::pin(std::future::ready(Err(fault.into()))),
        };
        let node = Arc::downgrade(inner);
        let (tell, told) = oneshot::channel();
        // What nobody waits for any more counts as well.
        let counted = async move {
            let made = making.await;
            if let Err(error) = &made {
                tracing::error!(%error, dir, "no backup was made");
            }
            if let Some(node) = node.upgrade() {
                node.metrics.backed_up(made.is_ok().then(|| node.host.wall_ms()));
            }
            let _ = tell.send(made);
        };
        drop(inner.host.spawn("backup", Box::pin(counted)));
        told.await.unwrap_or_else(|_| Err(Fault::internal("the backup was given up").into()))
    }
}
