//! Clients at work: several on the same orders, and all that they see is written down.

mod board;
mod client;

use std::sync::Arc;

use anyhow::Result;
use catga_check::Recorder;
use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::board::Board;
use self::client::Client;
use crate::cluster::Cluster;
use crate::plan::Plan;

/// All clients, until they are sent home.
pub(crate) struct Clients {
    door: watch::Sender<bool>,
    at_work: JoinSet<Result<()>>,
}

impl Clients {
    /// Sends them to work.
    pub(crate) fn send(
        plan: &Plan,
        cluster: &Cluster,
        recorder: &Arc<Recorder>,
        dice: &mut Rng,
    ) -> Self {
        let (door, is_open) = watch::channel(true);
        let board = Arc::new(Board::default());
        let mut at_work = JoinSet::new();
        for number in 0..plan.clients {
            let client = Client::new(
                number,
                cluster.addresses(),
                Arc::clone(&board),
                Arc::clone(recorder),
                dice.fork(),
            );
            at_work.spawn(client.work(is_open.clone()));
        }
        Self { door, at_work }
    }

    /// Waits until one of them cannot go on.
    ///
    /// # Errors
    /// Why it cannot, which is the harness's fault.
    pub(crate) async fn broken(&mut self) -> Result<()> {
        match self.at_work.join_next().await {
            Some(done) => done?,
            None => Ok(()),
        }
    }

    /// Sends them home, and waits until each has finished what it does.
    ///
    /// # Errors
    /// When one could not go on.
    pub(crate) async fn go_home(mut self) -> Result<()> {
        // Whoever is gone already needs no message.
        let _ = self.door.send(false);
        while let Some(done) = self.at_work.join_next().await {
            done??;
        }
        Ok(())
    }
}
