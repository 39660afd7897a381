use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use catga_core::{FaultCode, Offset, OnFailure, ReadLevel, RecordedEvent, StartFrom, Timestamp};
use catga_journal::Filter;
use catga_journal::planted::Planted;

use super::attempts::Outcome;
use super::held::{HeldLimits, Letter};
use super::owner::Halt;
use super::place::{Cursor, Place};
use super::progress::Progress;
use super::records::Keys;
use super::{HAPPENED, PAGE, Subscription};
use crate::SubscriberState;
use crate::commit::Committer;
use crate::forward::confirmed_head;
use crate::projector::MENDING_WAIT;

/// How many effects without an event for it a subscriber looks through before it records that: the
/// next owner would look through them again.
const LOOKED_THROUGH_MAX: u64 = 65_536;

/// How many characters of an error a dead letter keeps.
const ERROR_CHARS_MAX: usize = 500;

/// One ownership: from the cursor as it was read, to whatever ends it.
///
/// Every effect of it writes the record of the cursor, on condition that nobody has written it
/// since. So one that goes on after another has begun has no effect.
pub(super) struct Stint<'s> {
    pub(super) subscription: &'s Subscription,
    pub(super) committer: &'s Arc<Committer>,
    pub(super) keys: Keys,
    /// How often leadership had changed when it began; once more ends it.
    changes: Offset,
    /// Where the record of the cursor was last written; none if it does not exist.
    pub(super) fence: Option<Offset>,
    pub(super) progress: Progress,
    /// Where the record has the cursor.
    pub(super) recorded: Offset,
    /// How many events were dealt with since, and when it has to be recorded at the latest.
    pub(super) unrecorded: usize,
    pub(super) record_at: Option<Duration>,
    pub(super) has_recorded: bool,
}

impl<'s> Stint<'s> {
    pub(super) fn new(
        subscription: &'s Subscription,
        committer: &'s Arc<Committer>,
        changes: Offset,
    ) -> Self {
        Self {
            subscription,
            committer,
            keys: Keys::of(subscription.name),
            changes,
            fence: None,
            progress: Progress::beginning(Offset::ZERO),
            recorded: Offset::ZERO,
            unrecorded: 0,
            record_at: None,
            has_recorded: false,
        }
    }

    /// True if it has recorded anything.
    pub(super) fn has_recorded(&self) -> bool {
        self.has_recorded
    }

    /// Delivers until something ends it. `now` is where the journal was when the node started.
    pub(super) async fn run(&mut self, now: Offset) -> Halt {
        let Err(halt) = Box::pin(self.serve(now)).await;
        if matches!(halt, Halt::Stopping)
            && self.unrecorded > 0
            && let Err(halt) = self.record().await
        {
            // What was delivered since the last batch comes again, at the next owner.
            tracing::warn!(
                subscriber = self.subscription.name,
                ?halt,
                "the cursor is not recorded"
            );
        }
        halt
    }

    async fn serve(&mut self, now: Offset) -> Result<Infallible, Halt> {
        self.take_over(now).await?;
        loop {
            self.check()?;
            self.follow_requests().await?;
            self.deliver_released().await?;
            match self.progress.held().full(self.held_limits()) {
                Some(why) => self.wait_for_room(why).await?,
                None => self.deliver_page().await?,
            }
        }
    }

    /// Reads how far the former owner has come, once everything is applied that was acknowledged
    /// before; records where the first owner begins.
    async fn take_over(&mut self, now: Offset) -> Result<(), Halt> {
        let journal = &self.committer.journal;
        let head = async {
            match self.committer.means() {
                Some(means) => confirmed_head(means).await,
                None => journal.head(ReadLevel::Linearizable).await,
            }
        };
        let head = self.unless_halted(Box::pin(head)).await?.map_err(Halt::Failed)?;
        if !self.unless_halted(journal.applied().reach(head.offset)).await? {
            return Err(Halt::Closed);
        }
        match self.read().await? {
            Some((fence, progress)) => {
                (self.fence, self.progress) = (Some(fence), progress);
                self.recorded = self.progress.cursor.upto;
            }
            None => {
                let upto = match self.subscription.from {
                    StartFrom::Now => now,
                    StartFrom::Start => Offset::ZERO,
                };
                self.progress = Progress::beginning(upto);
                self.record().await?;
            }
        }
        self.subscription.placed.advance(HAPPENED);
        self.subscription.set(|status| {
            status.is_owner = true;
            status.state = SubscriberState::Running;
        });
        self.show();
        Ok(())
    }

    /// What the records say, and where that of the cursor was written.
    async fn read(&self) -> Result<Option<(Offset, Progress)>, Halt> {
        let journal = &self.committer.journal;
        loop {
            // The cursor first: whatever is written between the two then shows as a conflict.
            let cursor = journal.record(&self.keys.cursor).await.map_err(Halt::Failed)?;
            let Some(cursor) = cursor else { return Ok(None) };
            let held = journal.record(&self.keys.held).await.map_err(Halt::Failed)?;
            let held = held.as_ref().map(|head| &head.value);
            match Progress::read(&self.keys, &cursor.value, held) {
                Ok(progress) => return Ok(Some((cursor.offset, progress))),
                Err(error) => self.pause(error.to_string()).await?,
            }
        }
    }

    /// Delivers what came since the cursor, or waits for more.
    async fn deliver_page(&mut self) -> Result<(), Halt> {
        let journal = &self.committer.journal;
        let upto = self.progress.cursor.upto;
        if journal.applied().get() <= upto {
            return self.wait_for_more().await;
        }
        let filter = Filter::Names(self.subscription.events);
        let page = match journal.page(upto, &filter, PAGE).await {
            Ok(page) => page,
            // Another node has it, and nobody needs to do anything.
            Err(fault) if fault.code() == FaultCode::HistoryDamaged => {
                return self.unless_halted(self.committer.host.sleep(MENDING_WAIT)).await;
            }
            Err(fault) => return self.pause_recorded(fault.to_string()).await,
        };
        for event in &page.events {
            if self.progress.cursor.is_past(Place::of(event)) {
                continue;
            }
            self.check()?;
            if self.progress.held().full(self.held_limits()).is_some() {
                return Ok(());
            }
            self.deliver_next(event).await?;
            self.record_if_due().await?;
        }
        self.progress.cursor = Cursor::at(page.upto);
        self.show();
        if page.upto.0.saturating_sub(self.recorded.0) >= LOOKED_THROUGH_MAX {
            self.record().await?;
        }
        Ok(())
    }

    /// Deals with the event after the cursor: it waits, is delivered, or becomes a dead letter.
    async fn deliver_next(&mut self, event: &RecordedEvent) -> Result<(), Halt> {
        let (place, stream) = (Place::of(event), &event.meta.stream);
        let mut next = self.progress.past(place);
        if next.held().holds(stream) {
            next.held_mut().park(stream, place);
            self.dealt_with(next);
            return Ok(());
        }
        if Planted::CursorBeforeDelivery.is_here() {
            self.progress = next.clone();
            self.record().await?;
        }
        loop {
            match self.deliver(event, 0, &next).await? {
                Outcome::Done => return Ok(()),
                Outcome::Unreadable(error) => self.pause_recorded(error).await?,
                Outcome::Failed { attempts, error } => {
                    let letter = self.letter(event, attempts, &error);
                    return self.bury(event, letter, next).await;
                }
            }
        }
    }

    /// Makes the event a dead letter, in the effect that makes `next` of the progress.
    pub(super) async fn bury(
        &mut self,
        event: &RecordedEvent,
        letter: Letter,
        mut next: Progress,
    ) -> Result<(), Halt> {
        if next.held().is_empty() {
            // Nobody can have asked for it before it stands in the journal.
            next.followed = self.committer.journal.applied().get();
        }
        if Planted::LetterAfterCursor.is_here() {
            self.progress = next.clone();
            self.record().await?;
        }
        let parks = self.subscription.on_failure == OnFailure::Park;
        next.held_mut().bury(&event.meta.stream, parks, letter);
        self.progress = next;
        self.record().await
    }

    pub(super) fn letter(&self, event: &RecordedEvent, attempts: u32, error: &str) -> Letter {
        let (position, subscriber) = (event.meta.position, self.subscription.name);
        tracing::error!(subscriber, %position, attempts, error, "an event is a dead letter");
        Letter {
            place: Place::of(event),
            event: event.name.to_string(),
            attempts,
            error: error.chars().take(ERROR_CHARS_MAX).collect(),
            at: self.wall(),
        }
    }

    async fn wait_for_more(&mut self) -> Result<(), Halt> {
        let committer = self.committer;
        let more = committer.journal.applied().reach(self.progress.cursor.upto.next());
        let is_open = match self.record_at {
            None => self.unless_halted(more).await?,
            Some(at) => match self.unless_halted(committer.deadlines.by(at, more)).await? {
                Ok(is_open) => is_open,
                Err(_) => return self.record().await,
            },
        };
        if is_open { Ok(()) } else { Err(Halt::Closed) }
    }

    /// Pauses until a request may have made room, or somebody resumes it to look again.
    async fn wait_for_room(&mut self, why: String) -> Result<(), Halt> {
        if self.unrecorded > 0 {
            self.record().await?;
        }
        let committer = self.committer;
        self.subscription.paused_still(why);
        let requested = committer.journal.applied().reach(self.progress.followed.next());
        let resumed = self.subscription.resumed.notified();
        self.unless_halted(futures_util::future::select(requested, Box::pin(resumed))).await?;
        // It is full for all who ask until there is room.
        self.follow_requests().await?;
        if self.progress.held().full(self.held_limits()).is_none() {
            self.subscription.set(|status| status.state = SubscriberState::Running);
        }
        Ok(())
    }

    /// Pauses at the event after the cursor until somebody resumes it.
    async fn pause_recorded(&mut self, error: String) -> Result<(), Halt> {
        if self.unrecorded > 0 {
            self.record().await?;
        }
        self.pause(error).await
    }

    async fn pause(&self, error: String) -> Result<(), Halt> {
        self.subscription.paused(error);
        self.unless_halted(self.subscription.resumed.notified()).await?;
        self.subscription.set(|status| status.state = SubscriberState::Running);
        Ok(())
    }

    /// # Errors
    /// When the stint has to end.
    pub(super) fn check(&self) -> Result<(), Halt> {
        if self.subscription.stop.get() >= HAPPENED {
            return Err(Halt::Stopping);
        }
        if self.committer.journal.leadership_changes().get() > self.changes {
            return Err(Halt::Deposed);
        }
        Ok(())
    }

    pub(super) async fn unless_halted<T>(
        &self,
        future: impl Future<Output = T>,
    ) -> Result<T, Halt> {
        let journal = &*self.committer.journal;
        self.subscription.unless_halted(journal, self.changes, future).await
    }

    pub(super) fn held_limits(&self) -> HeldLimits {
        let limits = &self.committer.limits;
        HeldLimits { letters: limits.dead_letters, parked: limits.parked }
    }

    pub(super) fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.committer.host.wall_ms())
    }

    /// Shows in the status how far it is.
    pub(super) fn show(&self) {
        let held = self.progress.held();
        let (letters, parked) = (held.letters(), held.parked());
        self.subscription.set(|status| {
            status.cursor = self.progress.cursor.upto;
            (status.dead_letters, status.parked) = (letters, parked);
        });
    }
}
