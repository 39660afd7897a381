use std::sync::Arc;

use catga_core::{
    Answer, DomainError, Durable, Failure, Fault, FaultCode, Format, Handle, Message, Plain,
    Request, Scope, Staged, Tx, Wire, check,
};

use super::Given;
use crate::blocking::block_on;
use crate::past::INCARNATION;
use crate::then::Then;
use crate::written::reader;

/// The command under test.
impl Given {
    /// `service` handles `message`, a command or a query.
    ///
    /// It is what a node does, without the node: the message is checked, its handler runs once in
    /// a transaction over the past, and what it decided is recorded if it counts. Message and
    /// answer go through their format, as between two nodes.
    /// A handler that awaits timers gets virtual ones, which end at once.
    ///
    /// # Panics
    /// If the handler panics, if something cannot be encoded, or in a test that is asynchronous.
    #[must_use = "nothing is checked yet: go on with `.then_…`"]
    #[track_caller]
    pub fn when<S, M>(&self, service: &S, message: M) -> Then<M::Reply, M::Error>
    where
        M: Request,
        S: Handle<M, Scope: Enter>,
    {
        block_on(self.when_async(service, message))
    }

    /// The same in a test that is asynchronous, or for a handler that needs the test's runtime.
    ///
    /// # Panics
    /// If the handler panics, or if something cannot be encoded.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the past as it was.
    #[must_use = "nothing is checked yet: go on with `.then_…`"]
    pub async fn when_async<S, M>(&self, service: &S, message: M) -> Then<M::Reply, M::Error>
    where
        M: Request,
        S: Handle<M, Scope: Enter>,
    {
        let name = format!("`{}`", M::NAME);
        if let Err(fault) = check(&message) {
            return self.then(&name, Err(Failure::Fault(fault)), Staged::default());
        }
        let message = resent::<M, M>(&message, "it");
        let mut tx = self.tx();
        let answer = service.handle(message, S::Scope::enter(&mut tx)).await;
        let answer = match answer {
            Ok(reply) => Ok(resent::<M, _>(&reply, "its reply")),
            Err(Failure::Domain(error)) => {
                Err(Failure::Domain(resent::<M, _>(&error, "its refusal")))
            }
            Err(Failure::Fault(fault)) => Err(Failure::Fault(fault)),
        };
        let (answer, staged) = self.settle(&name, answer, tx);
        let mut then = self.then(&name, answer, staged);
        then.readers.fallback = Some(reader::<M>());
        then
    }

    /// A function that takes a transaction runs: a part of a handler, tested by itself.
    ///
    /// ```
    /// # use catga::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize)]
    /// # #[event(name = "seat.taken", stream = Seat, key = seat)]
    /// # struct SeatTaken { seat: u32 }
    /// # #[derive(Clone)]
    /// # struct Seat;
    /// # #[aggregate(name = "seat")]
    /// # impl Seat { fn taken(_event: &SeatTaken) -> Self { Self } }
    /// use catga_testkit::given;
    ///
    /// async fn take_first_free(tx: &mut Tx, seats: &[u32]) -> Answer<Option<u32>> {
    ///     for seat in seats {
    ///         if tx.load::<Seat>(seat).await?.is_none() {
    ///             tx.emit(SeatTaken { seat: *seat });
    ///             return Ok(Some(*seat));
    ///         }
    ///     }
    ///     Ok(None)
    /// }
    ///
    /// // The word `async` belongs there: the future borrows the transaction.
    /// given()
    ///     .event(SeatTaken { seat: 1 })
    ///     .when_calling(async |tx| take_first_free(tx, &[1, 2, 3]).await)
    ///     .then_reply(Some(2))
    ///     .then_events([SeatTaken { seat: 2 }]);
    /// ```
    ///
    /// # Panics
    /// If it panics, or in a test that is asynchronous.
    #[must_use = "nothing is checked yet: go on with `.then_…`"]
    #[track_caller]
    pub fn when_calling<R, E: DomainError>(
        &self,
        function: impl AsyncFnOnce(&mut Tx) -> Answer<R, E>,
    ) -> Then<R, E> {
        block_on(self.when_calling_async(function))
    }

    /// The same in a test that is asynchronous.
    ///
    /// # Panics
    /// If the function panics.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the past as it was.
    #[must_use = "nothing is checked yet: go on with `.then_…`"]
    pub async fn when_calling_async<R, E: DomainError>(
        &self,
        function: impl AsyncFnOnce(&mut Tx) -> Answer<R, E>,
    ) -> Then<R, E> {
        const NAME: &str = "the function";
        let mut tx = self.tx();
        let answer = function(&mut tx).await;
        let (answer, staged) = self.settle(NAME, answer, tx);
        self.then(NAME, answer, staged)
    }

    fn tx(&self) -> Tx {
        let (id, views) = (self.message_id(), self.past.offset());
        let past = Arc::new(self.past.clone());
        Tx::new(id, INCARNATION, self.now, views, self.context.clone(), past)
    }

    fn then<R, E>(&self, name: &str, answer: Answer<R, E>, staged: Staged) -> Then<R, E> {
        let (given, readers) = (self.clone(), self.readers.clone());
        Then { name: name.to_owned(), given, answer, staged, readers }
    }

    /// What is recorded of what the handler left, by the rules of a node.
    fn settle<R, E: DomainError>(
        &self,
        name: &str,
        answer: Answer<R, E>,
        tx: Tx,
    ) -> (Answer<R, E>, Staged) {
        let is_recorded = match &answer {
            Ok(_) => true,
            Err(Failure::Domain(error)) => !error.is_transient(),
            Err(Failure::Fault(_)) => false,
        };
        if !is_recorded {
            return (answer, Staged::default());
        }
        let mut staged = match tx.finish() {
            Ok(staged) => staged,
            Err(fault) => return (Err(Failure::Fault(fault)), Staged::default()),
        };
        if answer.is_err() {
            // A refusal changes nothing; what it depends on still has to hold.
            staged.events.clear();
        }
        // Everything that was loaded or required holds: only a blind emit can be wrong already.
        let conflict = staged.conditions.iter().find_map(|on| self.past.conflict(on));
        if let Some(event) = conflict {
            let message = format!(
                "{name} emits to stream {}, which exists, without loading it; load it and \
                 decide, or use `append_any`",
                event.meta.stream
            );
            let fault = Fault::new(FaultCode::StreamExists, message);
            return (Err(Failure::Fault(fault)), Staged::default());
        }
        (answer, staged)
    }
}

/// What a handler's scope gets from a test: its transaction, or nothing.
pub trait Enter: Scope {
    /// The handler's second argument.
    fn enter(tx: &mut Tx) -> Self::Argument<'_>;
}

impl Enter for Durable {
    fn enter(tx: &mut Tx) -> &mut Tx {
        tx
    }
}

impl Enter for Plain {
    fn enter(_: &mut Tx) {}
}

/// `value` as it arrives at another node.
fn resent<M: Message, T: Wire>(value: &T, what: &str) -> T {
    let mut bytes = Vec::new();
    if let Err(error) = M::Format::encode(value, &mut bytes) {
        panic!("`{}`: {what} cannot be encoded: {error}", M::NAME);
    }
    match M::Format::decode(&bytes) {
        Ok(value) => value,
        Err(error) => panic!("`{}`: {what} cannot be read again: {error}", M::NAME),
    }
}
