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
        let head = inner.confirmed_head(inner.limits.deadline).await?;
        inner.journal.backup(into.into(), head.offset).await
    }
}
