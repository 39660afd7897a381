use anyhow::Result;
use fastrand::Rng;

use super::{Told, Whom, drawn, names};
use crate::cluster::Cluster;

/// Leaves a disk without room, or almost, and gives it back after a while. The process goes on.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng) -> Result<Told> {
    let (lasts, left) = (drawn(dice, 500, 4_000), dice.u64(0..300 << 10));
    let victims = Whom::Any.choose(cluster, dice).await;
    let mut held = cluster.hold_all(&victims).await;
    for site in &mut held {
        if !site.fill(left)? {
            let why = cluster.no_disks.clone().unwrap_or_default();
            return Ok(Told::Skipped(format!("no disk of its own: {why}")));
        }
    }
    // Others may do something to it meanwhile: it is restarted on a full disk too.
    drop(held);
    tokio::time::sleep(lasts).await;
    for mut site in cluster.hold_all(&victims).await {
        site.free()?;
    }
    Ok(Told::Installed(format!("{} had {left} bytes for {lasts:?}", names(&victims))))
}
