use catga_core::{Condition, Context, Fault, MessageId, NewEvent, Outcome, Timestamp};
use catga_engine::{Directive, Effect, RecordWrite, Rejection, Trail, Verdict};

use super::faults::in_doubt;
use super::{Committer, Ticket};

/// What an effect holds that this node decides by itself, and no caller waits for: what a delivery
/// records, the moves of a cursor, and what is asked of the engine.
#[derive(Debug)]
pub(crate) struct OwnParts<'a> {
    pub(crate) at: Timestamp,
    pub(crate) context: &'a Context,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) records: Vec<RecordWrite>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) directive: Option<Directive>,
}

impl Committer {
    /// Commits such an effect under a new id, within the time that a command has which says nothing
    /// else. The id is minted now and not when the delivery began: no mark passes one under way.
    ///
    /// It takes no place among the commands: there is at most one under way for each subscriber.
    /// Without a verdict it may count all the same, now or later, unless the fault says that it was
    /// not executed.
    pub(crate) async fn commit_own(
        &self,
        parts: OwnParts<'_>,
    ) -> (MessageId, Result<Verdict, Fault>) {
        let OwnParts { at, context, events, records, conditions, directive } = parts;
        let id = self.session.mint();
        let mut ticket = Ticket { committer: self, id, is_ours: true, in_doubt: true };
        let mut effect = Effect::new(id, self.next_attempt(id));
        let marks = self.session.marks(id, || self.host.now());
        (effect.low_water, effect.kept) = (marks.low_water, marks.kept);
        (effect.at, effect.events) = (at, events);
        (effect.records, effect.conditions) = (records, conditions);
        effect.directive = directive;
        effect.trail = Trail {
            correlation: context.correlation.clone(),
            causation: context.causation,
            ..Trail::default()
        };
        let until = self.host.now().saturating_add(self.limits.deadline);
        let decided = self.deadlines.by(until, self.journal.commit(effect)).await;
        let verdict = match decided {
            Ok(Ok(committed)) => Ok(committed.verdict),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(in_doubt("the journal did not answer in time")),
        };
        let is_unknown = |fault: &Fault| fault.outcome() == Outcome::Unknown;
        if matches!(verdict, Ok(Verdict::Rejected(Rejection::Expired))) {
            self.session.missed(id);
        }
        ticket.in_doubt = verdict.as_ref().is_err_and(is_unknown);
        (id, verdict)
    }
}
