use anyhow::Result;
use fastrand::Rng;

use super::{Nemesis, Told, Whom, drawn, names};
use crate::cluster::Cluster;

/// Kills them at once, and starts them again after a while: sometimes at once, before the others
/// have noticed.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng, whom: Whom) -> Result<Told> {
    let away = if dice.u8(..4) == 0 { drawn(dice, 0, 20) } else { drawn(dice, 100, 3_000) };
    let mut held = whom.hold(cluster, dice).await;
    for site in &mut held.sites {
        site.server.kill()?;
    }
    tokio::time::sleep(away).await;
    for site in &mut held.sites {
        site.server.spawn()?;
    }
    let what = format!("{} were away for {away:?}", names(&held.numbers));
    Ok(match (whom, held.leads) {
        (Whom::Leader, false) => Told::Instead(Nemesis::KillFollower, what),
        (Whom::Follower, true) => Told::Instead(Nemesis::KillLeader, what),
        _ => Told::Installed(what),
    })
}
