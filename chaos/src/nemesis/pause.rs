use anyhow::Result;
use fastrand::Rng;

use super::{Nemesis, Told, Whom, drawn, names};
use crate::cluster::Cluster;

/// Has a process stand still, which is how a long collection of garbage or a moved virtual machine
/// looks from outside; when it goes on, it believes that no time has passed.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng, whom: Whom) -> Result<Told> {
    let still = if dice.bool() { drawn(dice, 100, 600) } else { drawn(dice, 600, 5_000) };
    let mut held = whom.hold(cluster, dice).await;
    for site in &mut held.sites {
        site.server.pause()?;
    }
    tokio::time::sleep(still).await;
    for site in &mut held.sites {
        site.server.wake()?;
    }
    let what = format!("{} stood still for {still:?}", names(&held.numbers));
    Ok(match (whom, held.leads) {
        (Whom::Leader, false) => Told::Instead(Nemesis::PauseAny, what),
        _ => Told::Installed(what),
    })
}
