//! What goes wrong. Each kind is in a file of its own, and a new one is a line in the table here.

mod bad_link;
mod flap;
mod full_disk;
mod kill;
mod partition;
mod pause;
mod power_cut;
mod replace;
mod rolling;
mod stop;

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;

use crate::cluster::Cluster;

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
