//! The one who asks: to be let in, and later whether it still belongs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use catga_host::Host;

use super::messages::{self, JoinAnswer, Joiner, Saying};
use super::{Admission, STEP_WAIT, leader_elsewhere};
use crate::{Address, FoundingError, Links, LogId, Peer, Peers, Recipient, Topic};

/// How long whoever is asked may take to be reached, where there is no link to it yet.
const REACH_WAIT: Duration = Duration::from_secs(1);

/// How soon the next step is asked for.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long none of the members in the log may say what a node is, before it asks wherever it was
/// told. Longer than it takes to elect a leader and to be shown to it.
const UNHEARD_MAX: Duration = Duration::from_secs(4);

/// What a node has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// It has a vote.
    Voter,
    /// It follows without one, since its address is not among the members.
    Learner,
}

/// One node's request to belong to the cluster of others, made to whoever leads it.
pub(crate) struct Petition {
    host: Arc<dyn Host>,
    links: Links,
    me: Peer,
    /// Where it is reached.
    address: Address,
    /// Where there are others, as it was told.
    others: BTreeSet<Address>,
    own: Admission,
    /// To where it keeps links: there it asks.
    linked: BTreeSet<Address>,
    asked: usize,
    leader: Option<Address>,
    /// When a leader said last what it is, or when it began to ask.
    heard: Duration,
    /// When a leader last did something for it, or when it began to ask.
    helped: Duration,
    /// It has a place in the cluster, or had one: whoever does not know it has taken it out.
    belonged: bool,
    /// The entry by which its own log says that it had; none once it knows.
    by: Option<LogId>,
}

impl Petition {
    /// Of the node at `place`, which was told of `others` and has dialled those that are `linked`;
    /// it may have `founded` the cluster.
    pub(crate) fn new(
        host: Arc<dyn Host>,
        links: Links,
        place: (Peer, Address),
        others: BTreeSet<Address>,
        linked: BTreeSet<Address>,
        own: Admission,
        founded: bool,
    ) -> Self {
        let now = host.now();
        let by = own.told_by().filter(|_| !founded);
        let belonged = founded || by.is_some();
        let (asked, leader, heard, helped) = (0, None, now, now);
        let (me, address) = place;
        Self {
            host,
            links,
            me,
            address,
            others,
            own,
            linked,
            asked,
            leader,
            heard,
            helped,
            belonged,
            by,
        }
    }

    /// Keeps links to those of whom this node may hear what it is, and to no others.
    pub(crate) fn link(&mut self) {
        let wanted = self.wanted();
        if wanted == self.linked {
            return;
        }
        self.links.connect_to(&wanted.iter().cloned().collect::<Vec<_>>());
        self.links.disconnect_from(&self.linked.difference(&wanted).cloned().collect::<Vec<_>>());
        self.linked = wanted;
    }

    /// The members that there are now, and whoever was said to lead them. A node to which none of
    /// them says what it is may have been taken out since: all of them may be gone.
    fn wanted(&self) -> BTreeSet<Address> {
        let mut wanted = self.own.known();
        if wanted.is_empty() || self.is_unheard() {
            wanted.extend(self.others.iter().cloned());
        }
        wanted.extend(self.leader.clone());
        wanted
    }

    /// Joins the cluster, and waits until this node is what it will be. Where it is a member
    /// already, it makes its address known. None if no leader has done anything for it for as long as
    /// `patience`; to hold what the others hold may take longer.
    ///
    /// # Errors
    /// When the cluster will not have this node.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the node what it has become so far; it may be called again.
    pub(crate) async fn join(
        &mut self,
        patience: Duration,
    ) -> Result<Option<Joined>, FoundingError> {
        self.helped = self.host.now();
        while self.host.now() - self.helped < patience {
            self.link();
            if let Some(joined) = self.ask().await? {
                return Ok(Some(joined));
            }
            self.host.sleep(AGAIN_AFTER).await;
        }
        Ok(None)
    }

    /// Asks once; what this node is, if that is settled.
    ///
    /// # Errors
    /// When the cluster will not have this node.
    pub(crate) async fn ask(&mut self) -> Result<Option<Joined>, FoundingError> {
        let answer = self.answer().await;
        let name = || self.me.name.clone();
        match answer {
            Ok(JoinAnswer::Member) => Ok(Some(self.became(Joined::Voter))),
            Ok(JoinAnswer::Learner) => Ok(Some(self.became(Joined::Learner))),
            Ok(JoinAnswer::LostItsData) => Err(FoundingError::LostItsData { name: name() }),
            Ok(JoinAnswer::Removed) => Err(FoundingError::Removed { name: name() }),
            Ok(JoinAnswer::Foreign) => Err(FoundingError::AnotherLife { name: name() }),
            Ok(JoinAnswer::TooOld { needs }) => {
                let known = self.own.supported();
                Err(FoundingError::TooOld { name: name(), known, needs })
            }
            Ok(JoinAnswer::AddressTaken { by }) => {
                let address = self.address.to_string();
                Err(FoundingError::AddressTaken { name: name(), address, by })
            }
            Ok(JoinAnswer::NotLeader { leader }) => {
                self.leader = (!leader.is_empty()).then(|| leader.as_str().into());
                Ok(None)
            }
            Ok(answer) => {
                tracing::debug!(?answer, "joining");
                if matches!(answer, JoinAnswer::CatchingUp { .. }) {
                    self.belongs();
                }
                self.helped = self.host.now();
                Ok(None)
            }
            Err(why) => {
                tracing::debug!(why, "nobody to join");
                self.leader = None;
                Ok(None)
            }
        }
    }

    fn became(&mut self, joined: Joined) -> Joined {
        self.heard = self.host.now();
        self.belongs();
        joined
    }

    /// A leader that a majority confirms has it among the members.
    fn belongs(&mut self) {
        (self.belonged, self.by) = (true, None);
    }

    /// True if no leader has said for a while what this node is.
    fn is_unheard(&self) -> bool {
        self.host.now() - self.heard >= UNHEARD_MAX
    }

    async fn answer(&mut self) -> Result<JoinAnswer, String> {
        let says = Saying {
            address: self.address.to_string(),
            incarnation: self.own.incarnation,
            belonged: self.belonged,
            by: self.by,
            version: self.own.supported(),
            full: self.own.room.is_full(),
        };
        let Some(to) = self.whom() else {
            return self.own.admit(Joiner { peer: self.me.clone(), says }).await;
        };
        let request = vec![messages::join(&says)];
        let within = if self.links.reach(&to) { STEP_WAIT } else { REACH_WAIT };
        let answer = self.links.call(&to, Topic::Membership, request, within).await;
        let answer = answer.map_err(|error| error.to_string())?;
        JoinAnswer::read(answer).map_err(|error| error.to_string())
    }

    /// Whom to ask next, if not this node itself: whoever was said to lead, or else, in turn, the one
    /// that this node takes for the leader and one of the others. A node that was taken out does not
    /// hear of those who lead later, though it may have led before.
    fn whom(&mut self) -> Option<Recipient> {
        if self.own.leads() && !self.is_unheard() {
            return None;
        }
        let said = self.leader.take();
        self.asked += 1;
        let known = leader_elsewhere(&self.own.raft).filter(|_| !self.asked.is_multiple_of(2));
        if said.is_none() && known.is_some() {
            return known;
        }
        let in_turn = self.linked.iter().nth(self.asked / 2 % self.linked.len().max(1));
        let address = said.or_else(|| in_turn.cloned())?;
        (address != self.address).then_some(Recipient { address, id: None })
    }
}
