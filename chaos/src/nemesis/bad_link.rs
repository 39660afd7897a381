use anyhow::Result;
use fastrand::Rng;

use super::{Nemesis, Told, drawn};
use crate::cluster::Cluster;
use crate::proxies::Link;

/// Has some links be late, dribble, or break, which only proxies can.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng, how: Nemesis) -> Result<Told> {
    let count = cluster.len();
    let (lasts, late) = (drawn(dice, 500, 5_000), drawn(dice, 5, 120));
    let times = dice.usize(2..=10);
    let mut all: Vec<_> = (0..count)
        .flat_map(|from| (0..count).map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
        .collect();
    dice.shuffle(&mut all);
    all.truncate(dice.usize(1..=count));
    let proxies = match cluster.wires.proxies() {
        Ok(proxies) => proxies,
        Err(why) => return Ok(Told::Skipped(why)),
    };
    let what = match how {
        Nemesis::LateLinks => {
            proxies.set(&all, Link::Late(late));
            format!("late by {late:?}")
        }
        Nemesis::Dribble => {
            proxies.set(&all, Link::Dribbling);
            "dribbling".to_owned()
        }
        _ => {
            let each = lasts / u32::try_from(times).unwrap_or(1);
            for _ in 0..times {
                proxies.reset(&all);
                tokio::time::sleep(each).await;
            }
            return Ok(Told::Installed(format!("{} links broke {times} times", all.len())));
        }
    };
    tokio::time::sleep(lasts).await;
    cluster.wires.heal()?;
    Ok(Told::Installed(format!("{} links were {what} for {lasts:?}", all.len())))
}
