use anyhow::Result;
use fastrand::Rng;

use super::{Nemesis, Told, Whom, drawn, names};
use crate::cluster::Cluster;

/// Cuts links, each from one node to another.
type Links = Vec<(usize, usize)>;

/// Cuts the network in a way, and heals it after a while.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng, how: Nemesis) -> Result<Told> {
    let (lasts, leader) = (drawn(dice, 500, 6_000), Whom::Leader.choose(cluster, dice).await[0]);
    let (links, what) = links(cluster, dice, how, leader);
    cluster.wires.cut(&links)?;
    tokio::time::sleep(lasts).await;
    cluster.wires.heal()?;
    Ok(Told::Installed(format!("{what} for {lasts:?}")))
}

fn links(cluster: &Cluster, dice: &mut Rng, how: Nemesis, leader: usize) -> (Links, String) {
    let count = cluster.len();
    let mut others: Vec<_> = (0..count).filter(|number| *number != leader).collect();
    dice.shuffle(&mut others);
    let minority = dice.usize(1..=count - cluster.majority());
    match how {
        Nemesis::LeaderInMinority => {
            let mut apart = vec![leader];
            apart.extend_from_slice(&others[..minority - 1]);
            (both(&apart, count), format!("{} were apart, the leader among them", names(&apart)))
        }
        Nemesis::LeaderInMajority => {
            let apart = &others[..minority];
            (both(apart, count), format!("{} were apart", names(apart)))
        }
        Nemesis::LeaderMute => {
            let links = others.iter().map(|other| (leader, *other)).collect();
            (links, format!("nobody heard {}", names(&[leader])))
        }
        Nemesis::LeaderDeaf => {
            let links = others.iter().map(|other| (*other, leader)).collect();
            (links, format!("{} heard nobody", names(&[leader])))
        }
        _ => {
            let mut all: Links = (0..count)
                .flat_map(|from| (0..count).map(move |to| (from, to)))
                .filter(|(from, to)| from != to)
                .collect();
            dice.shuffle(&mut all);
            all.truncate(dice.usize(1..=count));
            let said: Vec<_> =
                all.iter().map(|(from, to)| format!("{}>{}", from + 1, to + 1)).collect();
            (all, format!("one way: {}", said.join(" ")))
        }
    }
}

/// All links between those that are apart and the others, both ways.
pub(super) fn both(apart: &[usize], count: usize) -> Links {
    let rest = |number: &usize| !apart.contains(number);
    let pairs = apart.iter().flat_map(|from| (0..count).filter(rest).map(|to| (*from, to)));
    pairs.flat_map(|(from, to)| [(from, to), (to, from)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_between_those_apart_and_the_others() {
        let mut links = both(&[0, 2], 3);
        links.sort_unstable();
        assert_eq!(links, [(0, 1), (1, 0), (1, 2), (2, 1)]);
    }
}
