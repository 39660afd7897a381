use catga_core::{Condition, Context, Fault, MessageId, NewEvent, Timestamp};
use catga_engine::{Effect, RecordWrite, Trail, Verdict};

use super::faults::in_doubt;
use super::{Committer, Ticket};

/// An effect that this node decides by itself, and no caller waits for: what a delivery records,
/// and the moves of a cursor.
///
/// It takes no place among the commands: there is at most one under way for each subscriber.
#[derive(Debug)]
pub(crate) struct Own<'c>(Ticket<'c>);

/// What such an effect holds.
#[derive(Debug)]
pub(crate) struct OwnParts<'a> {
    pub(crate) at: Timestamp,
    pub(crate) context: &'a Context,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) records: Vec<RecordWrite>,
    pub(crate) conditions: Vec<Condition>,
}

impl Committer {
    /// An id for an effect of this node's own. Several attempts may be made with it, one after the
    /// other, as long as the former ones are known to have no effect.
    pub(crate) fn own(&self) -> Own<'_> {
        let id = self.session.mint();
        Own(Ticket { committer: self, id, is_ours: true, in_doubt: false })
    }
}

impl Own<'_> {
    pub(crate) fn id(&self) -> MessageId {
        self.0.id
    }

    /// Commits one attempt; within the time that a command has that says nothing else.
    ///
    /// # Errors
    /// When there is no verdict. The effect may count all the same, now or later, unless the fault
    /// says that it was not executed.
    pub(crate) async fn commit(&mut self, parts: OwnParts<'_>) -> Result<Verdict, Fault> {
        let Ticket { committer, id, .. } = self.0;
        let OwnParts { at, context, events, records, conditions } = parts;
        let mut effect = Effect::new(id, committer.next_attempt(id));
        let marks = committer.session.marks(id, || committer.host.now());
        (effect.low_water, effect.kept) = (marks.low_water, marks.kept);
        (effect.at, effect.events) = (at, events);
        (effect.records, effect.conditions) = (records, conditions);
        effect.trail = Trail {
            correlation: context.correlation.clone(),
            causation: context.causation,
            ..Trail::default()
        };
        self.0.in_doubt = true;
        let until = committer.host.now().saturating_add(committer.limits.deadline);
        let decided = committer.deadlines.by(until, committer.journal.commit(effect)).await;
        let committed = match decided {
            Ok(Ok(committed)) => committed,
            Ok(Err(fault)) => {
                self.0.in_doubt = fault.outcome() == catga_core::Outcome::Unknown;
                return Err(fault);
            }
            Err(_) => return Err(in_doubt("the journal did not answer in time")),
        };
        self.0.in_doubt = false;
        Ok(committed.verdict)
    }
}
