//! What becomes of dead letters: anybody asks, on any node, by an event in the journal; whoever
//! owns the subscriber follows. So what was asked outlives every node, and it comes in one order.

use catga_core::{NewEvent, Offset, RecordedEvent, StreamName};
use catga_journal::Filter;

use super::PAGE;
use super::attempts::Outcome;
use super::owner::Halt;
use super::place::Place;
use super::records::{CATEGORY, place_payload, read_place};
use super::stint::Stint;

/// The names of the two requests.
const RETRY: &str = "catga.dead-letter.retry-requested";
const DISCARD: &str = "catga.dead-letter.discard-requested";

const REQUESTS: Filter = Filter::Names(&[RETRY, DISCARD]);

/// What is asked about a dead letter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    /// Deliver it again.
    Retry,
    /// Forget it.
    Discard,
}

impl Request {
    /// The event that asks it of whoever owns `subscriber`.
    pub(super) fn event(self, subscriber: &str, place: Place) -> NewEvent {
        let name = match self {
            Self::Retry => RETRY,
            Self::Discard => DISCARD,
        };
        NewEvent {
            stream: StreamName::new(CATEGORY, subscriber),
            name: name.into(),
            schema: 1,
            tags: Vec::new(),
            payload: place_payload(place),
        }
    }
}

impl Stint<'_> {
    /// Follows the requests that have come, as long as there are dead letters that they could mean.
    pub(super) async fn follow_requests(&mut self) -> Result<(), Halt> {
        let journal = &self.committer.journal;
        let stream = StreamName::new(CATEGORY, self.subscription.name);
        while self.progress.held().letters() > 0 && self.progress.followed < journal.applied().get()
        {
            let page = journal.page(self.progress.followed, &REQUESTS, PAGE).await;
            let page = page.map_err(Halt::Failed)?;
            for request in page.events.iter().filter(|request| request.meta.stream == stream) {
                self.check()?;
                self.follow(request).await?;
            }
            self.progress.followed = page.upto;
        }
        Ok(())
    }

    async fn follow(&mut self, request: &RecordedEvent) -> Result<(), Halt> {
        let place = read_place(&request.payload);
        let Some(letter) = place.and_then(|place| self.progress.held().letter(place)) else {
            // It was asked twice, and is no dead letter any more.
            return Ok(());
        };
        let (place, tried) = (letter.place, letter.attempts);
        let mut next = self.progress.clone();
        next.followed = request.meta.position.offset;
        let mut settled = next.clone();
        settled.held_mut().settle(place);
        if *request.name == *DISCARD {
            self.progress = settled;
            return self.record().await;
        }
        let (attempts, error) = match self.event_at(place).await? {
            None => (tried, "the event is not in the journal".to_owned()),
            Some(event) => match self.deliver(&event, tried, &settled).await? {
                // Whoever lists the dead letters now sees that it is none.
                Outcome::Done if self.unrecorded > 0 => return self.record().await,
                Outcome::Done => return Ok(()),
                Outcome::Failed { attempts, error } => (attempts, error),
                Outcome::Unreadable(error) => (tried.saturating_add(1), error),
            },
        };
        if let Some(letter) = next.held_mut().letter_mut(place) {
            (letter.attempts, letter.error) = (attempts, error);
            letter.at = self.wall();
        }
        self.progress = next;
        self.record().await
    }

    /// Delivers what waited behind dead letters that are none any more, in order.
    pub(super) async fn deliver_released(&mut self) -> Result<(), Halt> {
        while let Some((stream, place)) = self.progress.held().released() {
            self.check()?;
            let mut next = self.progress.clone();
            next.held_mut().pop(&stream);
            let Some(event) = self.event_at(place).await? else {
                // A journal has no holes; there is nothing to deliver.
                self.dealt_with(next);
                continue;
            };
            let (attempts, error) = match self.deliver(&event, 0, &next).await? {
                Outcome::Done => {
                    self.record_if_due().await?;
                    continue;
                }
                Outcome::Failed { attempts, error } => (attempts, error),
                // Where all come in order it would pause; here the others must not wait for it.
                Outcome::Unreadable(error) => (1, error),
            };
            let letter = self.letter(&event, attempts, &error);
            self.bury(&event, letter, next).await?;
        }
        Ok(())
    }

    async fn event_at(&self, place: Place) -> Result<Option<RecordedEvent>, Halt> {
        let before = Offset(place.offset.0.saturating_sub(1));
        let page = self.committer.journal.page(before, &Filter::All, 1).await;
        let page = page.map_err(Halt::Failed)?;
        Ok(page.events.into_iter().find(|event| Place::of(event) == place))
    }
}
