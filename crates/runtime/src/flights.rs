use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catga_core::{MessageId, Offset};
use catga_engine::OutsideKey;
use catga_journal::Watermark;

/// Which command a call is about, when others may call about the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Id(MessageId),
    Key(OutsideKey),
}

/// Where the mark of a flight is once it has landed.
pub(crate) const LANDED: Offset = Offset(1);

/// The commands under way on this node that another call may be about: a retry that comes while
/// the first attempt runs waits for it and does not run again.
///
/// Ids that this node has just minted are not in it: nobody else knows them yet.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    by_subject: Mutex<HashMap<Subject, Flight>>,
}

#[derive(Debug)]
struct Flight {
    payload_hash: u64,
    /// At 1 once the flight has landed. Those who wait are woken in the order in which they came.
    landed: Arc<Watermark>,
}

/// What a call finds when it asks to fly.
#[derive(Debug)]
pub(crate) enum Boarding {
    /// It is the only one: it runs.
    Cleared(FlightGuard),
    /// Another call about the same command is under way: wait until it has landed, and look again.
    Wait(Arc<Watermark>),
    /// Another call with the same id or key and another payload is under way.
    Mismatch,
}

/// Holds a flight open; dropping it lands it.
#[derive(Debug)]
pub(crate) struct FlightGuard {
    flights: Arc<Flights>,
    subject: Subject,
    landed: Arc<Watermark>,
}

impl Flights {
    pub(crate) fn board(self: &Arc<Self>, subject: &Subject, payload_hash: u64) -> Boarding {
        match self.lock().entry(subject.clone()) {
            Entry::Occupied(flight) if flight.get().payload_hash != payload_hash => {
                Boarding::Mismatch
            }
            Entry::Occupied(flight) => Boarding::Wait(flight.get().landed.clone()),
            Entry::Vacant(vacant) => {
                let landed = Arc::<Watermark>::default();
                vacant.insert(Flight { payload_hash, landed: landed.clone() });
                Boarding::Cleared(FlightGuard {
                    flights: self.clone(),
                    subject: subject.clone(),
                    landed,
                })
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, Flight>> {
        self.by_subject.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FlightGuard {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.subject);
        self.landed.advance(LANDED);
    }
}

#[cfg(test)]
mod tests {
    use catga_core::SessionId;

    use super::*;

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_then_flies() {
        let flights = Arc::new(Flights::default());
        let subject = Subject::Id(MessageId::new(SessionId(1), 1));
        let Boarding::Cleared(first) = flights.board(&subject, 7) else { panic!("not cleared") };
        assert!(matches!(flights.board(&subject, 8), Boarding::Mismatch));
        let Boarding::Wait(landed) = flights.board(&subject, 7) else { panic!("no wait") };
        assert!(landed.get() < LANDED);
        drop(first);
        assert!(landed.reach(LANDED).await);
        assert!(matches!(flights.board(&subject, 8), Boarding::Cleared(_)));
        assert!(flights.lock().is_empty());
    }
}
