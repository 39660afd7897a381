use anyhow::Result;
use fastrand::Rng;

use super::{Told, Whom, drawn, names};
use crate::backups;
use crate::cluster::Cluster;

/// Kills one that was asked for a backup just now, and starts it again after a while. What it leaves
/// there, the next backups have to cope with.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng) -> Result<Told> {
    // A backup of so little takes some 40 ms.
    let (at, away) = (drawn(dice, 0, 60), drawn(dice, 0, 2_000));
    let victims = Whom::Any.choose(cluster, dice).await;
    let mut held = cluster.hold_all(&victims).await;
    let answered = tokio::time::timeout(at, backups::request(cluster, victims[0])).await;
    for site in &mut held {
        site.server.kill()?;
    }
    tokio::time::sleep(away).await;
    for site in &mut held {
        site.server.spawn()?;
    }
    let state = if answered.is_ok() { "had answered" } else { "was at it" };
    let what = format!("{} {state} {at:?} after it was asked", names(&victims));
    Ok(Told::Installed(format!("{what}, and was away for {away:?}")))
}
