use std::io;
use std::path::Path;
use std::sync::Arc;

use catga_cluster::RestoreError;
use catga_core::{NodeName, Position};
use catga_host::{Host, TokioHost};
use catga_journal::{Backup, Backups, Which};

/// What a restore has made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Of which backup.
    pub backup: Backup,
    /// The new node, which must be started under this name.
    pub node: NodeName,
    /// How far its journal goes: as far as the backup does, in another life of it.
    pub position: Position,
}

/// Makes of a backup in the directory `backups` the data directory `into` of a new node called
/// `name`. Every byte of the backup is looked at before anything is written.
///
/// The node is a cluster of its own: it starts as a process alone, or as the first member of a
/// cluster that others join with empty directories. No member of the cluster that was backed up
/// knows it. What was recorded after the backup is not in it; so positions that callers hold from
/// before are refused, and views are folded anew. A command that was answered before the backup, and
/// is sent again under its key or id, hears its first answer.
///
/// ```no_run
/// use catga::tools::{Which, restore};
///
/// # async fn example() -> Result<(), catga::tools::RestoreError> {
/// let restored = restore("/backups/shop", Which::Latest, "data/node1", "node1").await?;
/// println!("as of {}, all up to {}", restored.backup.at, restored.position);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When no node can have that `name`, there is no such backup or it is damaged, `into` is not empty,
/// or the machine refuses.
///
/// # Cancel safety
/// Dropping the future leaves a directory that no node starts on, and that says why.
pub async fn restore(
    backups: impl AsRef<Path>,
    which: Which,
    into: impl AsRef<Path>,
    name: impl Into<Arc<str>>,
) -> Result<Restored, RestoreError> {
    restore_on(&(Arc::new(TokioHost::current()) as _), backups, which, into, name).await
}

/// The same on another machine than this one, such as a simulated one.
///
/// # Errors
/// As [`restore`].
///
/// # Cancel safety
/// As [`restore`].
pub async fn restore_on(
    host: &Arc<dyn Host>,
    backups: impl AsRef<Path>,
    which: Which,
    into: impl AsRef<Path>,
    name: impl Into<Arc<str>>,
) -> Result<Restored, RestoreError> {
    let (name, backups) = (NodeName::new(name), Backups::new(backups.as_ref()));
    check(&name)
        .map_err(|source| RestoreError::Machine { dir: into.as_ref().to_owned(), source })?;
    let whole = backups.whole(&host.files(), which)?;
    let identity = catga_cluster::restore(host, &whole, into.as_ref(), &name).await?;
    let backup = whole.backup();
    let position = Position { incarnation: identity.incarnation, ..backup.position };
    tracing::info!(number = backup.number, node = %name, "a backup was restored");
    Ok(Restored { backup, node: identity.name, position })
}

/// A node is not started without a name, and its peers take none with control characters.
fn check(name: &NodeName) -> io::Result<()> {
    let text = name.as_str();
    if !text.trim().is_empty() && !text.contains(char::is_control) {
        return Ok(());
    }
    let why = format!("no node can have the name {text:?}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}
