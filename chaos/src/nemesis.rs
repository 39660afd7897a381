//! What goes wrong. Each kind is in a file of its own, and a new one is a line in the table here.

mod bad_link;
mod flap;
mod full_disk;
mod kill;
mod kill_at_backup;
mod partition;
mod pause;
mod power_cut;
mod replace;
mod rolling;
mod stop;

use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use tokio::sync::MutexGuard;

use crate::cluster::{Cluster, Site};

/// A kind of fault. What is drawn for one, such as for how long it lasts, comes from the dice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Nemesis {
    /// SIGKILL to the node that leads.
    KillLeader,
    /// SIGKILL to one that does not.
    KillFollower,
    /// SIGKILL to more than half, at once.
    KillMajority,
    /// SIGKILL to all, at once.
    KillAll,
    /// SIGKILL to one that was asked for a backup just now.
    KillAtBackup,
    /// SIGSTOP to the node that leads, and SIGCONT.
    PauseLeader,
    /// The same to any one.
    PauseAny,
    /// SIGTERM to one, which then has time to finish.
    Stop,
    /// The same to each, one after the other.
    RollingRestart,
    /// One is taken out of the cluster, and comes back with an empty directory.
    ReplaceMember,
    /// The leader is cut off with fewer than half.
    LeaderInMinority,
    /// Others are cut off, and the leader is not.
    LeaderInMajority,
    /// Nobody hears the leader, which hears all.
    LeaderMute,
    /// The leader hears nobody, and all hear it.
    LeaderDeaf,
    /// Some links lose everything in one direction.
    OneWay,
    /// A node is cut off and comes back, again and again.
    Flap,
    /// Some links are slow.
    LateLinks,
    /// Over some links bytes come a few at a time.
    Dribble,
    /// Connections break, again and again.
    Resets,
    /// A disk has no room.
    FullDisk,
    /// One node's power is cut.
    PowerCut,
    /// All nodes' power is cut at once.
    PowerCutAll,
}

/// What came of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It happened, to whom and how.
    Installed(String),
    /// Another kind happened: whoever was to lead did not, or whoever was not to did.
    Instead(Nemesis, String),
    /// It cannot happen here, and why.
    Skipped(String),
}

/// What several faults at a time must not share: who waits for the same goes one after the other.
pub(crate) type Lane = &'static [Nemesis];

/// Faults of different lanes happen at the same time.
pub(crate) const LANES: [Lane; 3] = [
    &[
        Nemesis::KillLeader,
        Nemesis::PauseLeader,
        Nemesis::KillFollower,
        Nemesis::Stop,
        Nemesis::PauseAny,
        Nemesis::KillMajority,
        Nemesis::KillAll,
        Nemesis::KillAtBackup,
        Nemesis::RollingRestart,
        Nemesis::ReplaceMember,
    ],
    &[
        Nemesis::LeaderInMinority,
        Nemesis::LeaderInMajority,
        Nemesis::LeaderMute,
        Nemesis::LeaderDeaf,
        Nemesis::OneWay,
        Nemesis::Flap,
        Nemesis::LateLinks,
        Nemesis::Dribble,
        Nemesis::Resets,
    ],
    &[Nemesis::PowerCut, Nemesis::FullDisk, Nemesis::PowerCutAll],
];

impl Nemesis {
    /// Its name in logs and tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KillLeader => "kill-leader",
            Self::KillFollower => "kill-follower",
            Self::KillMajority => "kill-majority",
            Self::KillAll => "kill-all",
            Self::KillAtBackup => "kill-at-backup",
            Self::PauseLeader => "pause-leader",
            Self::PauseAny => "pause-any",
            Self::Stop => "stop",
            Self::RollingRestart => "rolling-restart",
            Self::ReplaceMember => "replace-member",
            Self::LeaderInMinority => "leader-in-minority",
            Self::LeaderInMajority => "leader-in-majority",
            Self::LeaderMute => "leader-mute",
            Self::LeaderDeaf => "leader-deaf",
            Self::OneWay => "one-way",
            Self::Flap => "flap",
            Self::LateLinks => "late-links",
            Self::Dribble => "dribble",
            Self::Resets => "resets",
            Self::FullDisk => "full-disk",
            Self::PowerCut => "power-cut",
            Self::PowerCutAll => "power-cut-all",
        }
    }

    /// Does it, and undoes it.
    ///
    /// # Errors
    /// When the harness cannot: that is no verdict on the nodes.
    pub(crate) async fn strike(self, cluster: &Cluster, dice: &mut Rng) -> Result<Told> {
        match self {
            Self::KillLeader => kill::strike(cluster, dice, Whom::Leader).await,
            Self::KillFollower => kill::strike(cluster, dice, Whom::Follower).await,
            Self::KillMajority => kill::strike(cluster, dice, Whom::Majority).await,
            Self::KillAll => kill::strike(cluster, dice, Whom::All).await,
            Self::KillAtBackup => kill_at_backup::strike(cluster, dice).await,
            Self::PauseLeader => pause::strike(cluster, dice, Whom::Leader).await,
            Self::PauseAny => pause::strike(cluster, dice, Whom::Any).await,
            Self::Stop => stop::strike(cluster, dice).await,
            Self::RollingRestart => rolling::strike(cluster).await,
            Self::ReplaceMember => replace::strike(cluster, dice).await,
            Self::LeaderInMinority
            | Self::LeaderInMajority
            | Self::LeaderMute
            | Self::LeaderDeaf
            | Self::OneWay => partition::strike(cluster, dice, self).await,
            Self::Flap => flap::strike(cluster, dice).await,
            Self::LateLinks | Self::Dribble | Self::Resets => {
                bad_link::strike(cluster, dice, self).await
            }
            Self::FullDisk => full_disk::strike(cluster, dice).await,
            Self::PowerCut => power_cut::strike(cluster, dice, Whom::Any).await,
            Self::PowerCutAll => power_cut::strike(cluster, dice, Whom::All).await,
        }
    }
}

/// Who is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    Leader,
    Follower,
    Any,
    Majority,
    All,
}

/// Those who are struck, and nobody else does anything to them.
struct Held<'a> {
    numbers: Vec<usize>,
    sites: Vec<MutexGuard<'a, Site>>,
    /// The first of them said just now that it leads.
    leads: bool,
}

/// How long it is looked for somebody who leads: longer than an election takes.
const LEADER_WAIT: Duration = Duration::from_secs(3);
/// How soon it is looked again.
const LOOK: Duration = Duration::from_millis(50);

impl Whom {
    /// Those, in order; if nobody leads, anybody is the leader.
    async fn choose(self, cluster: &Cluster, dice: &mut Rng) -> Vec<usize> {
        let count = cluster.len();
        // Drawn in any case, so that whoever leads changes nothing that is drawn later.
        let drawn = dice.usize(..count);
        let mut shuffled: Vec<_> = (0..count).collect();
        dice.shuffle(&mut shuffled);
        match self {
            Self::Any => vec![drawn],
            Self::All => (0..count).collect(),
            Self::Majority => {
                let mut chosen = shuffled[..cluster.majority()].to_vec();
                chosen.sort_unstable();
                chosen
            }
            Self::Leader => vec![leader_or(cluster, drawn).await],
            Self::Follower => {
                let leader = leader_or(cluster, drawn).await;
                shuffled.into_iter().find(|number| *number != leader).into_iter().collect()
            }
        }
    }

    /// Chooses them, and waits until nobody else does anything to them.
    async fn hold<'a>(self, cluster: &'a Cluster, dice: &mut Rng) -> Held<'a> {
        let since = Instant::now();
        let mut numbers = self.choose(cluster, dice).await;
        loop {
            let sites = cluster.hold_all(&numbers).await;
            let leads = cluster.status(numbers[0]).await.is_some_and(|status| status.is_leader);
            // Whoever led may lead no more by the time that it is held.
            if self != Self::Leader || leads || since.elapsed() > LEADER_WAIT {
                return Held { numbers, sites, leads };
            }
            drop(sites);
            tokio::time::sleep(LOOK).await;
            numbers = vec![leader_or(cluster, numbers[0]).await];
        }
    }
}

async fn leader_or(cluster: &Cluster, drawn: usize) -> usize {
    cluster.leader().await.map_or(drawn, |(leader, _)| leader)
}

/// A time from `from` to `to`, both in milliseconds.
fn drawn(dice: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(dice.u64(from..=to))
}

/// `node1, node3`.
fn names(numbers: &[usize]) -> String {
    let names: Vec<_> = numbers.iter().map(|number| format!("node{}", number + 1)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hyper::StatusCode;
    use order_cluster::fleet::{Server, ServerOptions};

    use super::*;
    use crate::stand_in::{stand_in, status};

    /// Nodes of which one leads, or none: processes that end at once, and others that answer.
    struct Trial {
        cluster: Cluster,
        leader: Arc<AtomicUsize>,
        asked: Arc<AtomicUsize>,
        _dir: tempfile::TempDir,
    }

    /// By these dice no fault lasts long.
    const SHORT: u64 = 69;
    const NOBODY: usize = usize::MAX;
    const WHOEVER_IS_ASKED: usize = usize::MAX - 1;

    impl Trial {
        async fn led_by(leader: usize) -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let (leader, asked) =
                (Arc::new(AtomicUsize::new(leader)), Arc::new(AtomicUsize::new(0)));
            let (mut servers, mut addresses) = (Vec::new(), Vec::new());
            for (number, name) in ["node1", "node2", "node3"].into_iter().enumerate() {
                let (led_by, times) = (Arc::clone(&leader), Arc::clone(&asked));
                let answer = move || {
                    let leads = [number, WHOEVER_IS_ASKED].contains(&led_by.load(Ordering::SeqCst));
                    times.fetch_add(1, Ordering::SeqCst);
                    (StatusCode::OK, status(name, leads, 1, &[]).to_string())
                };
                addresses.push(stand_in(answer).await);
                servers.push(Server::alone(ServerOptions::new("true", dir.path().join(name)), 1));
            }
            Self { cluster: Cluster::of(servers, addresses), leader, asked, _dir: dir }
        }

        /// By what they have said until then somebody is chosen.
        async fn until_all_were_asked(&self) {
            while self.asked.load(Ordering::SeqCst) < self.cluster.len() {
                tokio::task::yield_now().await;
            }
        }

        async fn strike(&self, nemesis: Nemesis) -> Told {
            nemesis.strike(&self.cluster, &mut Rng::with_seed(SHORT)).await.expect("it can be done")
        }
    }

    #[tokio::test]
    async fn a_leader_is_struck_only_if_it_leads() {
        let led = Trial::led_by(1).await;
        let is_second =
            |told: &Told| matches!(told, Told::Installed(what) if what.contains("node2"));
        let told = led.strike(Nemesis::KillLeader).await;
        assert!(is_second(&told), "{told:?}");
        let told = led.strike(Nemesis::PauseLeader).await;
        assert!(is_second(&told), "{told:?}");
        let by_nobody = Trial::led_by(NOBODY).await;
        let (killed, paused) = tokio::join!(
            by_nobody.strike(Nemesis::KillLeader),
            by_nobody.strike(Nemesis::PauseLeader),
        );
        assert!(matches!(killed, Told::Instead(Nemesis::KillFollower, _)), "{killed:?}");
        assert!(matches!(paused, Told::Instead(Nemesis::PauseAny, _)), "{paused:?}");
    }

    #[tokio::test]
    async fn a_leader_that_leads_no_more_when_it_is_its_turn_is_spared() {
        let trial = Trial::led_by(0).await;
        let others_hold_it = trial.cluster.hold(0).await;
        let another_leads = async {
            trial.until_all_were_asked().await;
            trial.leader.store(2, Ordering::SeqCst);
            drop(others_hold_it);
        };
        let (told, ()) = tokio::join!(trial.strike(Nemesis::KillLeader), another_leads);
        assert!(matches!(&told, Told::Installed(what) if what.contains("node3")), "{told:?}");
    }

    #[tokio::test]
    async fn a_follower_that_leads_when_it_is_its_turn_is_a_leader() {
        let trial = Trial::led_by(NOBODY).await;
        let others_hold_them = trial.cluster.hold_all(&[0, 1, 2]).await;
        let another_leads = async {
            trial.until_all_were_asked().await;
            trial.leader.store(WHOEVER_IS_ASKED, Ordering::SeqCst);
            drop(others_hold_them);
        };
        let (told, ()) = tokio::join!(trial.strike(Nemesis::KillFollower), another_leads);
        assert!(matches!(told, Told::Instead(Nemesis::KillLeader, _)), "{told:?}");
    }
}
