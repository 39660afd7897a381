use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use catga_core::{Fault, FaultCode, NodeName, Offset, Outcome, Position, ReadLevel};
use catga_host::{Deadlines, Host};
use catga_journal::{Counted, Journal, Leadership, Role};
use futures_util::future::Either;

use super::{Answered, ForwardAnswer, Gathering};
use crate::PeerError;

/// The wait before the same leader is tried a second time; it doubles from try to try.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// No wait is longer, so that a call goes on soon once the cluster can.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What a node needs to look for its leader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means<'a> {
    pub(crate) node: &'a NodeName,
    pub(crate) host: &'a dyn Host,
    pub(crate) journal: &'a dyn Journal,
    pub(crate) requests: &'a Arc<Gathering>,
    pub(crate) deadlines: &'a Deadlines,
}

/// One command that looks for a leader, attempt after attempt, until its caller stops waiting.
///
/// All attempts have one id. What an earlier one left in doubt is settled by whatever comes first:
/// the answer of a later one, or this node's own apply.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    means: Means<'a>,
    /// When the caller stops waiting, on the host's clock.
    until: Duration,
    /// The effect, as this node applies it.
    counted: Counted,
    /// An attempt may have had its effect, or may still have it.
    in_doubt: bool,
    /// Who leads in which term, as a peer said.
    hint: Option<Leader>,
    /// Whom the last attempt was for.
    tried: Option<Leader>,
    /// How often that one failed, and until when it is left alone.
    failures: u32,
    paused_until: Duration,
    /// The leader has it under way already: asked alone, it answers when it has ended.
    alone: bool,
    /// Why there is no answer yet.
    why: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Leader {
    term: u64,
    node: NodeName,
}

/// Where a command is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    There(NodeName),
}

/// How a search ended without an answer of a leader.
#[derive(Debug)]
pub(crate) enum End {
    /// This node has applied the command's effect.
    Counted(Offset),
    Failed(Fault),
}

/// True if a fault of this node's own commit leaves the command to another leader, or to this node
/// when it leads again.
pub(crate) fn goes_on_after(fault: &Fault) -> bool {
    matches!(fault.code(), FaultCode::NotLeader | FaultCode::InDoubt)
}

impl<'a> Search<'a> {
    pub(crate) fn new(means: Means<'a>, counted: Counted, until: Duration) -> Self {
        Self {
            means,
            until,
            counted,
            in_doubt: false,
            hint: None,
            tried: None,
            failures: 0,
            paused_until: Duration::ZERO,
            alone: false,
            why: "no leader was known".to_owned(),
        }
    }

    /// True if an attempt may have had its effect.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Notes that an attempt on this node ended with `fault`, after which another one can be made.
    pub(crate) fn failed_here(&mut self, fault: &Fault) {
        self.in_doubt |= fault.outcome() == Outcome::Unknown;
        self.why = fault.message().to_owned();
        let Leadership { term, .. } = self.means.journal.leadership();
        let here = Leader { term, node: self.means.node.clone() };
        if self.tried.as_ref() != Some(&here) {
            (self.tried, self.failures) = (Some(here), 0);
        }
        self.pause();
    }

    /// `fault`, with what is known of the outcome after all attempts.
    pub(crate) fn conclude(&self, fault: Fault) -> Fault {
        if self.in_doubt { fault.with_outcome(Outcome::Unknown) } else { fault }
    }

    /// Where to try next, once there is such a place and it is time.
    ///
    /// # Errors
    /// When there is an end before: the effect was applied here, or the time is up.
    pub(crate) async fn place(&mut self) -> Result<Place, End> {
        loop {
            if let Some(offset) = self.counted_by_now().await {
                return Err(End::Counted(offset));
            }
            if let Some(fault) = self.means.journal.failure() {
                return Err(End::Failed(self.conclude(fault)));
            }
            let now = self.means.host.now();
            if now >= self.until {
                return Err(End::Failed(self.time_is_up()));
            }
            // Before the look: what changes after it ends the wait.
            let changes = self.means.journal.leadership_changes().get();
            let leader = self.leader();
            let wait_until = match leader {
                None => self.until,
                Some(leader) if self.tried.as_ref() != Some(&leader) => {
                    self.failures = 0;
                    return Ok(self.go_to(leader));
                }
                Some(leader) if self.paused_until <= now => return Ok(self.go_to(leader)),
                Some(_) => self.paused_until.min(self.until),
            };
            self.wait(changes, wait_until).await?;
        }
    }

    /// Who leads, by what this node knows and by what others said, whichever is newer.
    fn leader(&self) -> Option<Leader> {
        let Leadership { term, role, leader } = self.means.journal.leadership();
        let own = self.means.node;
        if role == Role::Leader {
            return Some(Leader { term, node: own.clone() });
        }
        // Until this node leads by its own log it cannot be asked, whoever says so.
        let known = leader.map(|node| Leader { term, node });
        let hint = self.hint.clone().filter(|hint| known.is_none() || hint.term > term);
        let hint = hint.filter(|hint| hint.term >= term);
        hint.or(known).filter(|leader| leader.node != *own)
    }

    fn go_to(&mut self, leader: Leader) -> Place {
        let place = match leader.node == *self.means.node {
            true => Place::Here,
            false => Place::There(leader.node.clone()),
        };
        self.tried = Some(leader);
        place
    }

    async fn counted_by_now(&mut self) -> Option<Offset> {
        let counted = &mut self.counted;
        poll_fn(|cx| match pin!(&mut *counted).poll(cx) {
            Poll::Ready(offset) => Poll::Ready(Some(offset)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Waits for another leadership than after `changes`, at most until `until`.
    async fn wait(&mut self, changes: Offset, until: Duration) -> Result<(), End> {
        let means = self.means;
        let counted = &mut self.counted;
        let mut changed = pin!(another_leadership(means.journal, changes));
        let either = poll_fn(|cx| {
            if let Poll::Ready(offset) = pin!(&mut *counted).poll(cx) {
                return Poll::Ready(Err(End::Counted(offset)));
            }
            changed.as_mut().poll(cx).map(Ok)
        });
        means.deadlines.by(until, either).await.unwrap_or(Ok(()))
    }

    /// Sends `request` to the leader called `to`; none if another attempt has to be made.
    ///
    /// # Errors
    /// When there is an end without an answer.
    pub(crate) async fn ask(
        &mut self,
        to: &NodeName,
        request: Bytes,
    ) -> Result<Option<Answered>, End> {
        let means = self.means;
        let mut call = match self.alone {
            true => Either::Left(means.requests.ask_alone(to, request, self.until)),
            false => Either::Right(means.requests.ask(to, request, self.until)),
        };
        let asked = self.tried.clone();
        let mut superseded = pin!(superseded(means, asked));
        let counted = &mut self.counted;
        let answer = poll_fn(|cx| {
            if let Poll::Ready(answer) = pin!(&mut call).poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            if let Poll::Ready(offset) = pin!(&mut *counted).poll(cx) {
                return Poll::Ready(Err(End::Counted(offset)));
            }
            superseded.as_mut().poll(cx).map(|()| {
                let why = format!("{to} was asked, and another node began to lead");
                Ok(Err(PeerError::Unknown(why)))
            })
        });
        let answer = match means.deadlines.by(self.until, answer).await {
            Ok(answer) => answer?,
            Err(_) => Err(PeerError::Unknown(format!("{to} did not answer in time"))),
        };
        match answer {
            Ok(bytes) => self.told(to, bytes),
            Err(PeerError::NotSent(why)) => {
                self.again(false, format!("{to} could not be asked: {why}"));
                Ok(None)
            }
            Err(PeerError::Unknown(why)) => {
                self.again(true, format!("{to} was asked and did not answer: {why}"));
                Ok(None)
            }
        }
    }

    fn told(&mut self, by: &NodeName, bytes: Bytes) -> Result<Option<Answered>, End> {
        match ForwardAnswer::decode(bytes) {
            Ok(ForwardAnswer::Answered(answered)) => return Ok(Some(answered)),
            Ok(ForwardAnswer::Failed { fault, again: false }) => {
                return Err(End::Failed(self.conclude(fault)));
            }
            Ok(ForwardAnswer::Failed { fault, again: true }) => {
                let in_doubt = fault.outcome() == Outcome::Unknown;
                self.again(in_doubt, format!("{by} said: {}", fault.message()));
            }
            Ok(ForwardAnswer::Runs) if self.alone => {
                self.again(true, format!("{by} has not ended it, and did not wait for it"));
            }
            Ok(ForwardAnswer::Runs) => {
                (self.in_doubt, self.alone) = (true, true);
                self.why = format!("{by} has not ended it");
                // At once: it is not asked for more than it has begun already.
                self.paused_until = Duration::ZERO;
            }
            Ok(ForwardAnswer::NotLeader { term, leader }) => {
                self.again(false, format!("{by} does not lead in term {term}"));
                let newer = self.hint.as_ref().is_none_or(|hint| hint.term < term);
                if let Some(node) = leader.filter(|_| newer) {
                    self.hint = Some(Leader { term, node });
                }
            }
            Err(why) => self.again(true, format!("the answer of {by} cannot be read: {why}")),
        }
        Ok(None)
    }

    fn again(&mut self, in_doubt: bool, why: String) {
        tracing::debug!(why, in_doubt, "a command looks for its leader");
        self.in_doubt |= in_doubt;
        self.why = why;
        self.pause();
    }

    /// Leaves the one that was tried alone for a while: doubling, and half of it left to chance, so
    /// that commands that failed together do not come back together.
    fn pause(&mut self) {
        let host = self.means.host;
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        let share = (host.random() >> 32) as f64 / f64::from(u32::MAX);
        let pause = doubled.min(LONGEST_PAUSE).mul_f64(1.0 - share / 2.0);
        self.paused_until = host.now().saturating_add(pause);
    }

    #[cold]
    fn time_is_up(&self) -> Fault {
        if self.in_doubt {
            let message = format!(
                "the deadline passed while it was not known whether the command took effect \
                 ({}); retry it with the same id",
                self.why
            );
            return Fault::new(FaultCode::DeadlineInDoubt, message);
        }
        let message = format!(
            "the deadline passed before a leader took the command ({}); it has no effect",
            self.why
        );
        Fault::new(FaultCode::DeadlineBeforeStart, message)
    }
}

/// Ready once leadership has changed more often than `changes` says.
async fn another_leadership(journal: &dyn Journal, changes: Offset) {
    if !journal.leadership_changes().reach(changes.next()).await {
        // The journal has ended, and nothing changes any more.
        pending().await
    }
}

/// Ready once another one leads than `asked`, as far as this node knows: in a later term, or in the
/// same one, in which a candidate may still overtake the one who was elected first.
async fn superseded(means: Means<'_>, asked: Option<Leader>) {
    loop {
        let changes = means.journal.leadership_changes().get();
        let Leadership { term, leader, .. } = means.journal.leadership();
        let is_another = |node: &NodeName| {
            asked.as_ref().is_none_or(|asked| {
                term > asked.term || (term == asked.term && *node != asked.node)
            })
        };
        if leader.as_ref().is_some_and(is_another) {
            return;
        }
        another_leadership(means.journal, changes).await;
    }
}

/// A head of the journal that a leader has confirmed; tries again, with a fresh request each time,
/// while it may still come.
///
/// # Errors
/// Why it cannot be confirmed.
pub(crate) async fn confirmed_head(means: Means<'_>) -> Result<Position, Fault> {
    let mut pause = FIRST_PAUSE;
    loop {
        let changes = means.journal.leadership_changes().get();
        match means.journal.head(ReadLevel::Linearizable).await {
            Ok(head) => return Ok(head),
            Err(fault) if !fault.is_retryable() || means.journal.failure().is_some() => {
                return Err(fault);
            }
            Err(_) => {}
        }
        let until = means.host.now().saturating_add(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        // Either ends it: a change, or the time.
        let _ = means.deadlines.by(until, another_leadership(means.journal, changes)).await;
    }
}
