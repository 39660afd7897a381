use anyhow::Result;
use fastrand::Rng;

use super::partition::both;
use super::{Told, Whom, drawn, names};
use crate::cluster::Cluster;

/// Cuts one off and lets it come back, about as fast as elections are.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng) -> Result<Told> {
    let victim = Whom::Any.choose(cluster, dice).await[0];
    let times = dice.usize(4..=12);
    for _ in 0..times {
        let (cut, whole) = (drawn(dice, 50, 400), drawn(dice, 50, 400));
        cluster.wires.cut(&both(&[victim], cluster.len()))?;
        tokio::time::sleep(cut).await;
        cluster.wires.heal()?;
        tokio::time::sleep(whole).await;
    }
    Ok(Told::Installed(format!("{} was cut off {times} times", names(&[victim]))))
}
