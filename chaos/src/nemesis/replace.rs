use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fastrand::Rng;
use hyper::StatusCode;
use order_cluster::client::{Call, Client, NoAnswer};
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
    site.is_new = true;
    site.server.spawn()?;
    // Whoever has filled its disk waits to give the room back: without it, it would never be let in.
    drop(site);
    let votes = until_it_votes(cluster, victim).await;
    cluster.hold(victim).await.is_new = !votes;
    if !votes {
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

/// Asks the others in turn until one of them says that it is done.
async fn remove(others: &[SocketAddr], name: &str) -> bool {
    let token = format!("Bearer {OPERATORS_TOKEN}");
    let call = Call::delete(format!("/cluster/members/{name}")).header("authorization", token);
    let since = Instant::now();
    // By a request of ours whose answer was lost, or came before it was done.
    let mut may_be_done = false;
    for other in others.iter().cycle().take_while(|_| since.elapsed() < PATIENCE) {
        let mut client = Client::new(vec![*other]).patience(Duration::from_secs(35));
        match client.send(&call).await {
            Ok(answer) if answer.status == StatusCode::NO_CONTENT => return true,
            Ok(answer) if answer.status == StatusCode::NOT_FOUND && may_be_done => return true,
            Ok(answer) if answer.status.is_client_error() => {}
            Err(NoAnswer::NoConnection(_)) => {}
            _ => may_be_done = true,
        }
        tokio::time::sleep(AGAIN).await;
    }
    false
}

/// Waits until the new node has a vote, as it says itself and as its leader says.
async fn until_it_votes(cluster: &Cluster, victim: usize) -> bool {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        let (own, leader) = (cluster.status(victim).await, cluster.leader().await);
        if let (Some(own), Some((leader, _))) = (own, leader)
            && let Some(leader) = cluster.status(leader).await
            && votes(&own, &leader)
        {
            return true;
        }
        tokio::time::sleep(AGAIN).await;
    }
    false
}

/// Whether the node that says `own` has a vote.
///
/// What others list under its name may be the removed one, of whose removal they have not heard. The
/// new one hears of no leader that does not know of it: whoever leads in its term means the new one.
fn votes(own: &Status, leader: &Status) -> bool {
    let lists = |status: &Status| {
        status.members.iter().any(|member| member.id == own.node_id && member.has_vote)
    };
    leader.is_leader && leader.term == own.term && lists(own) && lists(leader)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::stand_in::{self, stand_in};

    /// What comes of a removal where these are the answers, one after the other, and how many of
    /// them were heard.
    async fn removal(answers: &'static [StatusCode]) -> (bool, usize) {
        let heard = Arc::new(AtomicUsize::new(0));
        let next = Arc::clone(&heard);
        let answer = move || (answers[next.fetch_add(1, Ordering::SeqCst)], String::new());
        let others = [stand_in(answer).await];
        (remove(&others, "node1").await, heard.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn a_member_that_is_not_there_was_removed_only_by_whoever_has_tried_it() {
        const NOT_THERE: StatusCode = StatusCode::NOT_FOUND;
        let refused = &[NOT_THERE, StatusCode::CONFLICT, NOT_THERE, StatusCode::NO_CONTENT];
        assert_eq!(removal(refused).await, (true, 4));
        assert_eq!(removal(&[StatusCode::SERVICE_UNAVAILABLE, NOT_THERE]).await, (true, 2));
    }

    fn status(node: &str, leads: bool, term: u64, voters: &[&str]) -> Status {
        serde_json::from_value(stand_in::status(node, leads, term, voters)).expect("a status")
    }

    #[test]
    fn a_new_node_votes_when_it_and_its_leader_say_so() {
        let all = ["node1", "node2", "node3"];
        let own = status("node1", false, 7, &all);
        assert!(votes(&own, &status("node2", true, 7, &all)));
        assert!(!votes(&own, &status("node2", true, 6, &all)), "of an earlier term");
        assert!(!votes(&own, &status("node3", false, 7, &all)), "it does not lead");
        assert!(!votes(&own, &status("node2", true, 7, &all[1..])), "the leader lists it not");
        let lags = status("node1", false, 7, &all[1..]);
        assert!(!votes(&lags, &status("node2", true, 7, &all)), "it has not heard of its vote");
    }
}
