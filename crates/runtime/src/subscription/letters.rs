use catga_core::{Fault, FaultCode, Position, StreamName, Timestamp};

use super::place::Place;
use super::records::Keys;
use super::requests::Request;
use crate::Node;
use crate::node::{check_incarnation, shutting_down};

/// An event on which a subscriber of the whole cluster gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The written name of the event's type.
    pub event: String,
    /// Where it stands.
    pub position: Position,
    /// Its number within its effect, from 0.
    pub index: u32,
    /// Its stream.
    pub stream: StreamName,
    /// How often it was tried.
    pub attempts: u32,
    /// What the subscriber said last, the beginning of it.
    pub error: String,
    /// The wall time at which the owner gave up on it.
    pub at: Timestamp,
    /// How many later events of its stream wait behind it.
    pub parked: usize,
}

/// Dead letters of subscribers with `each = "cluster"`. They are asked for on any node.
impl Node {
    /// The dead letters of `subscriber`, oldest first, as they stand in the whole cluster.
    ///
    /// # Errors
    /// A fault when there is no such subscriber, or no leader confirms what stands.
    pub async fn dead_letters(&self, subscriber: &str) -> Result<Vec<DeadLetter>, Fault> {
        let inner = &self.0;
        if !inner.subscriptions.has_of_cluster(subscriber) {
            let message = format!("no subscriber of the whole cluster is called `{subscriber}`");
            return Err(Fault::new(FaultCode::InvalidMessage, message));
        }
        // Everything up to the head is applied here then.
        inner.confirmed_head(inner.limits.deadline).await?;
        let keys = Keys::of(subscriber);
        let Some(record) = inner.journal.record(&keys.held).await? else { return Ok(Vec::new()) };
        let held = keys.read_held(&record.value);
        let held = held.map_err(|why| Fault::new(FaultCode::Unreadable, why.to_string()))?;
        let letters = held.entries.into_iter().filter_map(|entry| {
            let letter = entry.letter?;
            Some(DeadLetter {
                event: letter.event,
                position: inner.position_at(letter.place.offset),
                index: letter.place.index,
                stream: entry.stream,
                attempts: letter.attempts,
                error: letter.error,
                at: letter.at,
                parked: entry.parked.len(),
            })
        });
        Ok(letters.collect())
    }

    /// Has the dead letter at `position` and `index` delivered again, as often as a new event is;
    /// when that succeeds, what waits behind it follows, in order.
    ///
    /// It is asked for when this returns, and that is durable: whichever node owns the subscriber
    /// does it.
    ///
    /// # Errors
    /// A fault when there is no such dead letter, or the request was not recorded.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether it was asked for.
    pub async fn retry_dead_letter(
        &self,
        subscriber: &str,
        position: Position,
        index: u32,
    ) -> Result<(), Fault> {
        self.request(subscriber, position, index, Request::Retry).await
    }

    /// Has the dead letter at `position` and `index` forgotten; what waits behind it is delivered.
    ///
    /// It is asked for when this returns, as with a [retry](Self::retry_dead_letter).
    ///
    /// # Errors
    /// A fault when there is no such dead letter, or the request was not recorded.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether it was asked for.
    pub async fn discard_dead_letter(
        &self,
        subscriber: &str,
        position: Position,
        index: u32,
    ) -> Result<(), Fault> {
        self.request(subscriber, position, index, Request::Discard).await
    }

    async fn request(
        &self,
        subscriber: &str,
        position: Position,
        index: u32,
        request: Request,
    ) -> Result<(), Fault> {
        if !self.is_running() {
            return Err(shutting_down());
        }
        check_incarnation(&*self.0.journal, position)?;
        let letters = self.dead_letters(subscriber).await?;
        if !letters.iter().any(|it| it.position == position && it.index == index) {
            let message =
                format!("`{subscriber}` has no dead letter at position {position}, index {index}");
            return Err(Fault::new(FaultCode::InvalidMessage, message));
        }
        let place = Place { offset: position.offset, index };
        self.0.committer.append_event(request.event(subscriber, place)).await
    }
}
