use anyhow::Result;
use fastrand::Rng;

use super::{Told, Whom, drawn, names};
use crate::cluster::Cluster;

/// Kills them at once, and starts them again after a while: sometimes at once, before the others
/// have noticed.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng, whom: Whom) -> Result<Told> {
    let away = if dice.u8(..4) == 0 { drawn(dice, 0, 20) } else { drawn(dice, 100, 3_000) };
    let victims = whom.choose(cluster, dice).await;
    let mut held = cluster.hold_all(&victims).await;
    for site in &mut held {
        site.server.kill()?;
    }
    tokio::time::sleep(away).await;
    for site in &mut held {
        site.server.spawn()?;
    }
    Ok(Told::Installed(format!("{} were away for {away:?}", names(&victims))))
}
