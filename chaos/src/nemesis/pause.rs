use anyhow::Result;
use fastrand::Rng;

use super::{Told, Whom, drawn, names};
use crate::cluster::Cluster;

/// Has a process stand still, which is how a long collection of garbage or a moved virtual machine
/// looks from outside; when it goes on, it believes that no time has passed.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng, whom: Whom) -> Result<Told> {
    let still = if dice.bool() { drawn(dice, 100, 600) } else { drawn(dice, 600, 5_000) };
    let victims = whom.choose(cluster, dice).await;
    let mut held = cluster.hold_all(&victims).await;
    for site in &mut held {
        site.server.pause()?;
    }
    tokio::time::sleep(still).await;
    for site in &mut held {
        site.server.wake()?;
    }
    Ok(Told::Installed(format!("{} stood still for {still:?}", names(&victims))))
}
