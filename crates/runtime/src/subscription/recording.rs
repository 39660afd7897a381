use std::time::Duration;

use catga_core::{Condition, Context, Fault, Offset};
use catga_engine::Verdict;

use super::owner::Halt;
use super::progress::Progress;
use super::stint::Stint;
use crate::commit::{OwnParts, rejected};

/// How many events are dealt with at most before the cursor is recorded: as many come again after
/// a failover, and an effect is spared for all but one of them.
const BATCH: usize = 64;

/// The cursor is recorded this long after the first event that it does not cover, at the latest
/// when the delivery under way ends.
const LINGER: Duration = Duration::from_secs(1);

/// How the progress gets into the journal.
impl Stint<'_> {
    /// Notes that an event was dealt with of which nothing is recorded yet.
    pub(super) fn dealt_with(&mut self, next: Progress) {
        self.progress = next;
        self.unrecorded += 1;
        let now = self.committer.host.now();
        self.record_at.get_or_insert(now.saturating_add(LINGER));
        self.show();
    }

    pub(super) async fn record_if_due(&mut self) -> Result<(), Halt> {
        let is_due = |at| self.committer.host.now() >= at;
        if self.unrecorded >= BATCH || self.record_at.is_some_and(is_due) {
            self.record().await?;
        }
        Ok(())
    }

    /// Records how far it is.
    pub(super) async fn record(&mut self) -> Result<(), Halt> {
        let context = Context::default();
        let parts = OwnParts {
            at: self.wall(),
            context: &context,
            events: Vec::new(),
            records: Vec::new(),
            conditions: Vec::new(),
            directive: None,
        };
        match self.commit(parts, self.progress.clone()).await? {
            None => Ok(()),
            Some(at) => {
                let message = format!("the move of a cursor met a conflict at offset {at}");
                Err(Halt::Failed(Fault::internal(message)))
            }
        }
    }

    /// Commits an effect that makes `next` of the progress; gives back what else it conflicts with.
    pub(super) async fn commit(
        &mut self,
        mut parts: OwnParts<'_>,
        next: Progress,
    ) -> Result<Option<Offset>, Halt> {
        parts.records.extend(next.writes(&self.keys));
        let key = self.keys.cursor.clone();
        let fence = Condition::RecordAt { key, offset: self.fence };
        // First, since it is told by its number.
        parts.conditions.insert(0, fence);
        let (id, committed) = self.committer.commit_own(parts).await;
        match committed.map_err(Halt::Failed)? {
            Verdict::Counted { offset } => {
                self.fence = Some(offset);
                self.progress = next.recorded();
                self.recorded = self.progress.cursor.upto;
                (self.unrecorded, self.record_at) = (0, None);
                self.has_recorded = true;
                self.show();
                Ok(None)
            }
            Verdict::Conflict { condition: 0, .. } | Verdict::Duplicate { .. } => Err(Halt::Fenced),
            Verdict::Conflict { at, .. } => Ok(Some(at)),
            Verdict::Rejected(rejection) => Err(Halt::Failed(rejected(id, None, rejection))),
        }
    }
}
