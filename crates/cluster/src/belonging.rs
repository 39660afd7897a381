//! Whether a node still belongs to its cluster, for as long as it runs.
//!
//! Whoever is taken out of a cluster hears nothing of it: nobody sends it entries any more. So each
//! node says now and then that it is there, and whoever leads answers what it is.

use std::time::Duration;

use catga_core::Fault;
use openraft::async_runtime::{Select2, WatchReceiver};
use openraft::{AsyncRuntime, ServerState};
use tokio::sync::watch;

use crate::changing::Changing;
use crate::joining::Petition;
use crate::room::Room;
use crate::{Raft, Rt};

/// How often a node asks.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How often in a row a leader finds its own disk full before it has another one lead: by then each of
/// the others has said whether it has room.
const FULL_LOOKS: u32 = 3;

/// Looks after the place of one node in its cluster.
pub(crate) struct Belonging {
    pub(crate) raft: Raft,
    pub(crate) petition: Petition,
    pub(crate) changing: Changing,
    pub(crate) room: Room,
    /// Told why the node is a member no more.
    pub(crate) dismissed: watch::Sender<Option<Fault>>,
}

impl Belonging {
    /// Goes on until the node stops or the cluster will not have it any more.
    pub(crate) async fn watch(mut self) {
        let mut full = 0;
        let mut metrics = self.raft.server_metrics();
        loop {
            let pause = Rt::sleep(ASK_EVERY);
            tokio::pin!(pause);
            loop {
                self.petition.link();
                match Rt::select2(metrics.changed(), &mut pause).await {
                    Select2::First(Ok(())) => {}
                    Select2::First(Err(_)) => return,
                    Select2::Second(()) => break,
                }
            }
            let state = metrics.borrow_watched().state;
            match state {
                ServerState::Shutdown => return,
                ServerState::Leader => {
                    self.changing.finish().await;
                    full = if self.room.is_full() { full + 1 } else { 0 };
                    if full == FULL_LOOKS {
                        self.changing.step_aside(&self.room.lacking).await;
                        full = 0;
                    }
                }
                _ => full = 0,
            }
            if let Err(error) = self.petition.ask().await {
                tracing::error!(%error, "this node is not wanted");
                self.dismissed.send_replace(Some(error.into()));
                return;
            }
        }
    }
}
