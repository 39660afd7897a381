use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fastrand::Rng;
use hyper::StatusCode;
use order_cluster::client::{Call, Client};
use order_cluster::fleet::Status;

use super::{Told, Whom, names};
use crate::cluster::{Cluster, OPERATORS_TOKEN};
use crate::disk;

/// How long a change of the members may take: meanwhile others are killed, and cut off for seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// How soon the cluster is asked again.
const AGAIN: Duration = Duration::from_millis(200);
/// How long a node that is removed alive has to notice, before it is killed.
const NOTICE: Duration = Duration::from_secs(5);

/// Takes a member out, dead or alive, and brings it back with an empty directory, as a new one.
pub(super) async fn strike(cluster: &Cluster, dice: &mut Rng) -> Result<Told> {
    let is_dead = dice.bool();
    let victims = Whom::Any.choose(cluster, dice).await;
    let Some(victim) = victims.first().copied() else {
        return Ok(Told::Skipped("there is nobody".to_owned()));
    };
    let mut site = cluster.hold(victim).await;
    if is_dead {
        site.server.kill()?;
    }
    let others: Vec<SocketAddr> = {
        let all = cluster.addresses().iter().enumerate();
        all.filter(|(number, _)| *number != victim).map(|(_, address)| *address).collect()
    };
    let name = format!("node{}", victim + 1);
    let began = Instant::now();
    if !remove(&others, &name).await {
        cluster.accuse(format!("{name} could not be removed within {PATIENCE:?}"));
    }
    if !is_dead {
        // It ends by itself, unless it is cut off.
        let _ = tokio::time::timeout(NOTICE, site.server.until_ended()).await;
        site.server.kill()?;
    }
    let dir = site.server.options().dir.clone();
    empty(&dir).with_context(|| format!("empty {}", dir.display()))?;
    site.server.spawn()?;
    // Whoever has filled its disk waits to give the room back: without it, it would never be let in.
    drop(site);
    if !votes(&others, &name).await {
        cluster.accuse(format!("{name} has no vote {PATIENCE:?} after it came back"));
    }
    let state = if is_dead { "dead" } else { "alive" };
    let took = began.elapsed();
    Ok(Told::Installed(format!("{} was replaced, {state}, within {took:?}", names(&victims))))
}

/// Takes away all that a node has, for good: a power cut must not bring the removed member back.
fn empty(dir: &Path) -> std::io::Result<()> {
    std::fs::remove_dir_all(dir)?;
    disk::sync(dir.parent().unwrap_or(dir))
}

/// Asks the others until one of them says that it is done.
async fn remove(others: &[SocketAddr], name: &str) -> bool {
    let token = format!("Bearer {OPERATORS_TOKEN}");
    let call = Call::delete(format!("/cluster/members/{name}")).header("authorization", token);
    let mut client = Client::new(others.to_vec()).patience(Duration::from_secs(35));
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        match client.send(&call).await {
            // The answer to an earlier request may have been lost.
            Ok(answer)
                if matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_FOUND) =>
            {
                return true;
            }
            _ => {
                client.move_on();
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    false
}

/// Waits until one of the others says that it has a vote.
async fn votes(others: &[SocketAddr], name: &str) -> bool {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        for other in others {
            let status = Status::of(*other).await;
            let members = status.into_iter().flat_map(|status| status.members);
            if members.into_iter().any(|member| member.id == name && member.has_vote) {
                return true;
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
    false
}
