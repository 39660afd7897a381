use anyhow::{Result, anyhow};
use fastrand::Rng;

use super::{Told, Whom, drawn, names};
use crate::cluster::Cluster;

/// Kills them at once, has their disks forget what was not synced, and starts them on what is left.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng, whom: Whom) -> Result<Told> {
    let away = drawn(dice, 0, 2_000);
    let victims = whom.choose(cluster, dice).await;
    let mut held = cluster.hold_all(&victims).await;
    if held.iter().any(|site| site.disk.is_none()) {
        let why = cluster.no_disks.clone().unwrap_or_default();
        return Ok(Told::Skipped(format!("no disk of its own: {why}")));
    }
    for site in &mut held {
        site.server.kill()?;
    }
    // All of them first: what is not copied yet is still being written by the kernel.
    for site in &mut held {
        if let Some(disk) = &mut site.disk {
            disk.cut_power().map_err(|why| anyhow!(why))?;
        }
    }
    tokio::time::sleep(away).await;
    for site in &mut held {
        site.server.spawn()?;
    }
    Ok(Told::Installed(format!("{} were away for {away:?}", names(&victims))))
}
