use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{LogId, NodeId, Vote};

/// How often others are asked again: they see a process end within a few milliseconds of each
/// other.
const ASK_EVERY: Duration = Duration::from_millis(3);

/// How long they are asked, in one go.
const ASK_FOR: Duration = Duration::from_millis(60);

/// When it begins again, if nobody leads by then.
const BEGIN_EVERY: Duration = Duration::from_millis(150);

/// The leader that a node follows, and who decides on its successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tenure {
    pub(super) vote: Vote,
    /// Each of these sets must agree; while the members change there are two.
    pub(super) voters: Vec<BTreeSet<NodeId>>,
}

impl Tenure {
    fn leader(&self) -> NodeId {
        self.vote.leader_id.node_id
    }

    /// True if `node` has a say in who comes after the leader.
    fn decides(&self, node: NodeId) -> bool {
        node != self.leader() && self.voters.iter().any(|set| set.contains(&node))
    }
}

/// What a node is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask these whether they have lost the leader of `vote`.
    Ask { vote: Vote, of: Vec<NodeId> },
    /// Let `successor` take the place of the leader of `vote`.
    Transfer { vote: Vote, successor: NodeId },
}

/// What one node knows of how others see the leader, and what follows from it. Times are since
/// some fixed moment.
#[derive(Debug)]
pub(super) struct Agreement {
    me: NodeId,
    tenure: Option<Tenure>,
    phase: Phase,
    /// Who has lost the leader too, in this go, and its last entry.
    lost: BTreeMap<NodeId, Option<LogId>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The link to the leader is not down.
    Following,
    Asking {
        since: Duration,
        next: Duration,
    },
    /// Nobody agreed, or somebody is to campaign now.
    Resting {
        until: Duration,
    },
}

impl Agreement {
    pub(super) fn new(me: NodeId) -> Self {
        Self { me, tenure: None, phase: Phase::Following, lost: BTreeMap::new() }
    }

    /// Takes note of the leader that is followed, and whether the link to it is down.
    pub(super) fn observe(&mut self, tenure: Option<Tenure>, down: bool, now: Duration) {
        let vote = |tenure: &Option<Tenure>| tenure.as_ref().map(|tenure| tenure.vote);
        let another = vote(&tenure) != vote(&self.tenure);
        self.tenure = tenure;
        let concerned = self.tenure.as_ref().is_some_and(|tenure| tenure.decides(self.me));
        if another || !down || !concerned {
            self.phase = Phase::Following;
            self.lost.clear();
        }
        if down && concerned && self.phase == Phase::Following {
            self.begin(now);
        }
    }

    fn begin(&mut self, now: Duration) {
        self.lost.clear();
        self.phase = Phase::Asking { since: now, next: now };
    }

    /// Takes what `from` says: whether it has lost the leader of `vote`, and its last entry.
    pub(super) fn answer(&mut self, from: NodeId, vote: Vote, lost: bool, last: Option<LogId>) {
        let asked = matches!(self.phase, Phase::Asking { .. });
        let decides = |tenure: &Tenure| tenure.vote == vote && tenure.decides(from);
        if !asked || from == self.me || !self.tenure.as_ref().is_some_and(decides) {
            return;
        }
        match lost {
            true => self.lost.insert(from, last),
            false => self.lost.remove(&from),
        };
    }

    /// What to do now, when the node's own last entry is `last`.
    pub(super) fn step(&mut self, now: Duration, last: Option<LogId>) -> Option<Step> {
        if matches!(self.phase, Phase::Resting { until } if now >= until) {
            self.begin(now);
        }
        let Phase::Asking { since, next } = self.phase else {
            return None;
        };
        let tenure = self.tenure.as_ref()?;
        let vote = tenure.vote;
        if let Some(successor) = self.successor(tenure, last) {
            self.phase = Phase::Resting { until: now + BEGIN_EVERY };
            self.lost.clear();
            return Some(Step::Transfer { vote, successor });
        }
        if now >= since + ASK_FOR {
            self.phase = Phase::Resting { until: since + BEGIN_EVERY };
            return None;
        }
        if now < next {
            return None;
        }
        let asked = |node: &NodeId| *node != self.me && tenure.decides(*node);
        let of = tenure.voters.iter().flatten().copied().filter(asked);
        let of: BTreeSet<_> = of.filter(|node| !self.lost.contains_key(node)).collect();
        self.phase = Phase::Asking { since, next: now + ASK_EVERY };
        Some(Step::Ask { vote, of: of.into_iter().collect() })
    }

    /// Who is to lead, once enough have lost the leader: of them the one with the longest log,
    /// since the others would not vote for anybody with less.
    fn successor(&self, tenure: &Tenure, last: Option<LogId>) -> Option<NodeId> {
        let agree = |node: &&NodeId| **node == self.me || self.lost.contains_key(*node);
        let quorum = |set: &BTreeSet<NodeId>| set.iter().filter(agree).count() > set.len() / 2;
        if !tenure.voters.iter().all(quorum) {
            return None;
        }
        let mine = (last, self.me);
        let others = self.lost.iter().map(|(node, last)| (*last, *node));
        let best = others.chain([mine]).reduce(|best, next| match next.0.cmp(&best.0) {
            std::cmp::Ordering::Greater => next,
            std::cmp::Ordering::Equal if next.1 < best.1 => next,
            _ => best,
        });
        best.map(|(_, node)| node)
    }

    /// When there is something to do next, if nothing happens before.
    pub(super) fn wake(&self) -> Option<Duration> {
        match self.phase {
            Phase::Following => None,
            Phase::Asking { since, next } => Some(next.min(since + ASK_FOR)),
            Phase::Resting { until } => Some(until),
        }
    }
}

#[cfg(test)]
mod tests;
