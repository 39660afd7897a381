use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use catga_core::{
    AttemptId, Condition, Context, Event, Fault, FaultCode, MessageId, NewEvent, NodeName, Offset,
    Outcome, SessionId, Source, StreamName, StreamSlice, Timestamp, encoded, payload_hash,
};
use catga_engine::{
    Directive, Effect, Lookup, OutsideKey, RecordedAnswer, Rejection, Trail, Verdict,
};
use catga_host::{BoxFuture, Deadlines, Host, timeout};
use catga_journal::{Committed, Journal, Pending, RecordedOutcome};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Limits;
use crate::flights::{Boarding, FlightGuard, Flights, Subject};
use crate::session::Session;

/// How many bytes of payload one place stands for.
const PAYLOAD_PER_SLOT: usize = 16 << 10;

/// The way of every effect into the journal: admission, ids, what is known already, and the
/// commit itself within its deadline. Knows no message types.
#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) limits: Limits,
    /// Of the waits of all commands.
    pub(crate) deadlines: Arc<Deadlines>,
    session: Session,
    flights: Arc<Flights>,
    /// One permit for each durable command under way.
    slots: Arc<Semaphore>,
    attempts: AtomicU64,
}

/// One durable command under way.
#[derive(Debug)]
pub(crate) struct Call<'c> {
    pub(crate) id: MessageId,
    key: Option<OutsideKey>,
    payload_hash: u64,
    /// The wall time of the origin: `tx.now()` of every attempt.
    pub(crate) at: Timestamp,
    /// When the caller stops waiting, on the host's clock.
    pub(crate) until: Duration,
    ticket: Ticket<'c>,
    _slot: SemaphorePermit<'c>,
}

/// What the session must be told when the call ends, however it ends.
#[derive(Debug)]
struct Ticket<'c> {
    committer: &'c Committer,
    id: MessageId,
    /// True while an effect is on its way and its outcome unknown.
    in_doubt: bool,
}

impl Call<'_> {
    /// True if no other call can be about the same command: nobody else knows an id that was
    /// minted a moment ago.
    pub(crate) fn is_nobody_elses(&self, is_retry: bool) -> bool {
        self.key.is_none() && !is_retry
    }
}

/// What is to be done with a call that others may be about as well.
pub(crate) enum Known {
    /// Its answer is recorded.
    Answered(Offset, RecordedOutcome),
    /// It has to run; the guard keeps others waiting.
    Run(FlightGuard),
}

impl Committer {
    /// Opens this node's session in the journal.
    pub(crate) async fn open(
        host: Arc<dyn Host>,
        journal: Arc<dyn Journal>,
        limits: Limits,
        node: &NodeName,
    ) -> Result<Arc<Self>, Fault> {
        let nonce = host.random();
        let id = MessageId::new(SessionId::default(), nonce);
        let mut effect = Effect::new(id, AttemptId { message: id, term: 0, sequence: 0 });
        effect.at = Timestamp::from_millis(host.wall_ms());
        effect.directive = Some(Directive::OpenSession { node: node.as_str().to_owned(), nonce });
        let committed = timeout(&*host, limits.deadline, journal.commit(effect))
            .await
            .map_err(|_| in_doubt("the journal did not answer when the session was opened"))??;
        let session = match committed.verdict {
            Verdict::Counted { offset } | Verdict::Duplicate { of: offset } => SessionId(offset.0),
            verdict => {
                let message = format!("the journal did not open a session: {verdict:?}");
                return Err(Fault::new(FaultCode::LogUnavailable, message));
            }
        };
        let slots = Arc::new(Semaphore::new(limits.in_flight));
        Ok(Arc::new(Self {
            deadlines: Deadlines::new(host.clone()),
            host,
            journal,
            limits,
            session: Session::new(session),
            flights: Arc::default(),
            slots,
            attempts: AtomicU64::new(0),
        }))
    }

    /// Admits a command: waits a bounded time for a place, and settles its id, key and deadline.
    pub(crate) async fn admit(
        &self,
        name: &str,
        payload: &[u8],
        context: &Context,
    ) -> Result<Call<'_>, Fault> {
        let limits = &self.limits;
        if payload.len() > limits.command_bytes {
            return Err(Fault::new(
                FaultCode::CommandTooLarge,
                format!(
                    "command `{name}` has {} bytes, and the limit is {}",
                    payload.len(),
                    limits.command_bytes
                ),
            ));
        }
        let until = self.host.now().saturating_add(context.deadline.unwrap_or(limits.deadline));
        let weight = self.weight(payload);
        let slot = match self.slots.try_acquire_many(weight) {
            Ok(slot) => slot,
            // Rare, so it takes no room in the future of every command.
            Err(_) => Box::pin(self.wait_for_slot(name, weight, until)).await?,
        };
        let id = context.message_id.unwrap_or_else(|| self.session.mint());
        let ticket = Ticket { committer: self, id, in_doubt: false };
        let key = context.key.as_ref().map(|key| OutsideKey {
            scope: format!("{}\n{name}", context.principal.as_deref().unwrap_or_default()),
            key: key.to_string(),
        });
        let at = Timestamp::from_millis(self.host.wall_ms());
        let payload_hash = payload_hash(payload);
        Ok(Call { id, key, payload_hash, at, until, ticket, _slot: slot })
    }

    #[cold]
    async fn wait_for_slot(
        &self,
        name: &str,
        weight: u32,
        until: Duration,
    ) -> Result<SemaphorePermit<'_>, Fault> {
        let wait = self.limits.queue_wait.min(until.saturating_sub(self.host.now()));
        match timeout(&*self.host, wait, self.slots.acquire_many(weight)).await {
            Ok(Ok(slot)) => Ok(slot),
            // The semaphore closes when the node has drained.
            Ok(Err(_)) => Err(crate::node::shutting_down()),
            Err(_) => Err(Fault::new(
                FaultCode::Overloaded,
                format!(
                    "{} commands are under way, and none ended within {wait:?} for `{name}`; \
                     try again later",
                    self.limits.in_flight
                ),
            )),
        }
    }

    /// How many places a command takes: more for a large one, and never more than there are.
    fn weight(&self, payload: &[u8]) -> u32 {
        let weight = 1 + payload.len() / PAYLOAD_PER_SLOT;
        u32::try_from(weight.min(self.limits.in_flight)).unwrap_or(u32::MAX)
    }

    /// Looks up what others know of the command: a recorded answer, or an attempt under way.
    pub(crate) async fn known(&self, call: &Call<'_>) -> Result<Known, Fault> {
        let subject = match &call.key {
            Some(key) => Subject::Key(key.clone()),
            None => Subject::Id(call.id),
        };
        loop {
            let guard = match self.flights.board(&subject, call.payload_hash) {
                Boarding::Cleared(guard) => guard,
                Boarding::Mismatch => return Err(mismatch(call)),
                Boarding::Wait(mut landed) => {
                    let wait = self.deadlines.by(call.until, landed.changed());
                    if wait.await.is_err() {
                        return Err(in_doubt("an earlier call of the same command did not end"));
                    }
                    continue;
                }
            };
            return match self.journal.lookup(call.id, call.key.as_ref(), call.payload_hash) {
                Lookup::New => Ok(Known::Run(guard)),
                Lookup::Known { offset } => {
                    Ok(Known::Answered(offset, self.journal.outcome(offset).await?))
                }
                Lookup::PayloadMismatch => Err(mismatch(call)),
                Lookup::Expired => Err(expired(call)),
            };
        }
    }

    /// Sends one attempt's effect on its way, unless the call's deadline has passed.
    pub(crate) fn propose(&self, call: &mut Call<'_>, effect: Effect) -> Result<Pending, Fault> {
        if self.host.now() >= call.until {
            return Err(too_late());
        }
        call.ticket.in_doubt = true;
        Ok(self.journal.commit(effect))
    }

    /// What becomes of an effect on its way, within the call's deadline.
    pub(crate) async fn decided(
        &self,
        call: &mut Call<'_>,
        pending: Pending,
    ) -> Result<Committed, Fault> {
        let committed = match self.deadlines.by(call.until, pending).await {
            Ok(Ok(committed)) => committed,
            Ok(Err(fault)) => {
                call.ticket.in_doubt = fault.outcome() == Outcome::Unknown;
                return Err(fault);
            }
            Err(_) => return Err(in_doubt("the deadline passed before the journal answered")),
        };
        call.ticket.in_doubt = false;
        Ok(committed)
    }

    /// The effect of one attempt.
    pub(crate) fn effect(
        &self,
        call: &Call<'_>,
        context: &Context,
        answer: RecordedAnswer,
        events: Vec<NewEvent>,
        conditions: Vec<Condition>,
    ) -> Effect {
        let sequence = self.attempts.fetch_add(1, Ordering::Relaxed);
        let term = self.journal.term();
        let mut effect = Effect::new(call.id, AttemptId { message: call.id, term, sequence });
        let marks = self.session.marks(call.id, || self.host.now());
        effect.low_water = marks.low_water;
        effect.kept = marks.kept;
        effect.key = call.key.clone();
        effect.payload_hash = call.payload_hash;
        effect.at = call.at;
        effect.answer = answer;
        effect.events = events;
        effect.conditions = conditions;
        effect.trail = Trail {
            correlation: context.correlation.clone(),
            causation: context.causation,
            principal: context.principal.clone(),
            tenant: context.tenant.clone(),
            trace: context.trace,
        };
        effect
    }

    /// Appends an event from outside a handler to its stream, whatever else was appended.
    pub(crate) async fn append<E: Event>(&self, event: &E) -> Result<(), Fault> {
        let payload = encoded::<E::Format, _>(event);
        let payload = payload.map_err(|error| unencodable(E::NAME, error))?;
        let Some(stream) = event.stream() else {
            return Err(Fault::internal(format!("event `{}` names no stream", E::NAME)));
        };
        let context = Context::default();
        let mut call = self.admit(E::NAME, &payload, &context).await?;
        let mut tags = Vec::new();
        event.tags(&mut tags);
        let event = NewEvent { stream, name: E::NAME.into(), schema: E::VERSION, tags, payload };
        let effect = self.effect(&call, &context, RecordedAnswer::None, vec![event], Vec::new());
        let pending = self.propose(&mut call, effect)?;
        match self.decided(&mut call, pending).await?.verdict {
            Verdict::Counted { .. } | Verdict::Duplicate { .. } => Ok(()),
            Verdict::Rejected(rejection) => Err(rejected(&call, rejection)),
            Verdict::Conflict { .. } => {
                Err(Fault::internal("an append without a condition met a conflict"))
            }
        }
    }

    /// Ready once nothing is under way; from then on nothing is admitted.
    pub(crate) fn idle(&self) -> impl Future<Output = ()> + Send + 'static {
        let slots = self.slots.clone();
        let all = u32::try_from(self.limits.in_flight).unwrap_or(u32::MAX);
        async move {
            if let Ok(_all) = slots.acquire_many(all).await {
                slots.close();
            }
        }
    }
}

/// A transaction reads from the journal of the node that runs its handler.
impl Source for Committer {
    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamName,
    ) -> BoxFuture<'a, Result<StreamSlice, Fault>> {
        self.journal.stream(stream)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let session = &self.committer.session;
        if self.in_doubt {
            session.keep(self.id, self.committer.host.now());
        } else {
            session.finish(self.id);
        }
    }
}

pub(crate) fn rejected(call: &Call<'_>, rejection: Rejection) -> Fault {
    match rejection {
        Rejection::Expired => expired(call),
        Rejection::PayloadMismatch => mismatch(call),
        Rejection::KeysExhausted => Fault::new(
            FaultCode::KeysExhausted,
            "as many idempotency keys are remembered as may be; retry later, or without a key",
        ),
        Rejection::EngineVersion => Fault::new(
            FaultCode::LogUnavailable,
            "the journal does not understand this effect yet; finish the upgrade of all nodes",
        ),
    }
}

fn mismatch(call: &Call<'_>) -> Fault {
    let what = match &call.key {
        Some(key) => format!("the key `{}`", key.key),
        None => format!("the id {}", call.id),
    };
    Fault::new(
        FaultCode::PayloadMismatch,
        format!("{what} was used before with another payload; use a new one for a new command"),
    )
}

fn expired(call: &Call<'_>) -> Fault {
    Fault::new(
        FaultCode::Expired,
        format!(
            "the id {} is older than what the journal remembers, so it is not known whether it \
             took effect; look at the state before you send a new command",
            call.id
        ),
    )
}

fn in_doubt(what: &str) -> Fault {
    let message = format!("{what}; the command may have taken effect: retry it with the same id");
    Fault::new(FaultCode::DeadlineInDoubt, message)
}

pub(crate) fn too_late() -> Fault {
    Fault::new(
        FaultCode::DeadlineBeforeStart,
        "the deadline passed before the command was proposed; it has no effect",
    )
}

pub(crate) fn unencodable(name: &str, error: impl std::fmt::Display) -> Fault {
    Fault::internal(format!("cannot encode what belongs to `{name}`: {error}"))
}
