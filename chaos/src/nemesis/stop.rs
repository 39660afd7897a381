use anyhow::Result;
use fastrand::Rng;

use super::{Told, Whom, drawn, names};
use crate::cluster::{Cluster, Site};

/// Asks one to stop, waits until it has, and starts it again after a while.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng) -> Result<Told> {
    let away = drawn(dice, 0, 2_000);
    let victims = Whom::Any.choose(cluster, dice).await;
    let mut held = cluster.hold_all(&victims).await;
    for site in &mut held {
        stop(cluster, site).await?;
    }
    tokio::time::sleep(away).await;
    for site in &mut held {
        site.server.spawn()?;
    }
    Ok(Told::Installed(format!("{} were away for {away:?}", names(&victims))))
}

/// Stops one in order. One that does not stop well is accused, and gone in any case.
pub(super) async fn stop(cluster: &Cluster, site: &mut Site) -> Result<()> {
    match site.server.stop().await {
        Ok(()) => Ok(()),
        Err(why) => cluster.blame(site, why),
    }
}
