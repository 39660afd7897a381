use std::sync::Arc;

use crate::{Ground, Raft, Snapshot, Vote};

/// Where a snapshot goes that has come.
#[derive(Clone)]
pub(crate) struct Installing {
    pub(crate) raft: Raft,
    pub(crate) ground: Arc<dyn Ground>,
}

impl Installing {
    /// Has Raft install a snapshot. The vote that this node has then, once it holds on its disk all
    /// that the snapshot does.
    ///
    /// openraft (0.10.0-alpha.37) answers at once for a snapshot of what the node knows to be
    /// committed, and the leader takes the node for one that holds it. But it knows what is
    /// committed before it has made that durable, which takes long on a slow disk: were the process
    /// to end meanwhile, the leader would find that entries are gone which it counts on.
    pub(super) async fn install(&self, vote: Vote, snapshot: Snapshot) -> Result<Vote, String> {
        let installed = self.raft.install_full_snapshot(vote, snapshot).await;
        let installed = installed.map_err(|error| format!("the log has stopped: {error}"))?;
        self.ground.flushed().await.map_err(|error| error.to_string())?;
        Ok(installed.vote)
    }
}
