use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::ledger::{Account, Ledger};
use super::shopper::{Door, Shopper};
use super::tally::Tally;
use crate::client::Client;

/// Clients at work. Dropping it ends them at once.
pub(super) struct Load {
    door: watch::Sender<Door>,
    shoppers: JoinSet<Account>,
}

impl Load {
    /// Lets `clients` place orders at `servers`.
    pub(super) fn start(
        servers: &[SocketAddr],
        clients: usize,
        seed: u64,
        tally: &Arc<Tally>,
    ) -> Self {
        let (door, _) = watch::channel(Door::Open);
        let mut rng = fastrand::Rng::with_seed(seed);
        // Keys that nobody used, also if an earlier trial with this seed left its orders there.
        let trial = format!("{:08x}", fastrand::u32(..));
        let mut shoppers = JoinSet::new();
        for number in 0..clients {
            let (behind, ahead) = servers.split_at(number % servers.len());
            let shopper = Shopper {
                client: Client::new([ahead, behind].concat()),
                rng: rng.fork(),
                door: door.subscribe(),
                tally: Arc::clone(tally),
                account: Account { customer: format!("{trial}-{number}"), placed: Vec::new() },
            };
            shoppers.spawn(shopper.shop());
        }
        Self { door, shoppers }
    }

    /// Lets nobody begin anything.
    pub(super) fn hold(&self) {
        self.door.send_replace(Door::Held);
    }

    /// Lets everybody go on, at once.
    pub(super) fn release(&self) {
        self.door.send_replace(Door::Open);
    }

    /// Lets everybody finish, and collects what they were told.
    pub(super) async fn finish(mut self) -> Result<Ledger, JoinError> {
        self.door.send_replace(Door::Closed);
        let mut accounts = Vec::new();
        while let Some(account) = self.shoppers.join_next().await {
            accounts.push(account?);
        }
        Ok(Ledger { accounts })
    }
}
