mod append;
mod call;
mod faults;
mod known;
mod own;
mod reopen;
mod steward;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use catga_core::{
    AttemptId, Condition, Context, Fault, FaultCode, MessageId, NewEvent, NodeName, Offset,
    Outcome, Position, Source, StreamName, StreamSlice, Timestamp, payload_hash,
};
use catga_engine::{Effect, OutsideKey, RecordedAnswer, Trail};
use catga_host::{BoxFuture, Deadlines, Host, timeout};
use catga_journal::{Committed, Held, Journal, Pending, Role};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::call::Ticket;
pub(crate) use self::call::{Call, Forwarded};
use self::faults::in_doubt;
pub(crate) use self::faults::{rejected, too_late, unencodable};
pub(crate) use self::known::Known;
pub(crate) use self::own::OwnParts;
use crate::flights::Flights;
use crate::forward::{ForwardedCommand, Gathering, Means, Search, open_session};
use crate::session::{Marks, Session};
use crate::{Limits, PeerCalls};

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
    node: NodeName,
    /// The way to the other nodes; none for a process of its own.
    pub(crate) peers: Option<Arc<dyn PeerCalls>>,
    /// What goes to them; none without.
    requests: Option<Arc<Gathering>>,
    session: Session,
    flights: Arc<Flights>,
    /// One permit for each durable command under way.
    slots: Arc<Semaphore>,
    attempts: AtomicU64,
}

impl Committer {
    /// Opens this node's session in the journal.
    ///
    /// Somebody has to watch `deadlines` already.
    pub(crate) async fn open(
        host: Arc<dyn Host>,
        journal: Arc<dyn Journal>,
        peers: Option<Arc<dyn PeerCalls>>,
        deadlines: Arc<Deadlines>,
        limits: Limits,
        node: NodeName,
    ) -> Result<Arc<Self>, Fault> {
        let requests = peers.clone().map(|peers| Gathering::new(Arc::clone(&host), peers));
        let means = requests.as_ref().map(|requests| Means {
            node: &node,
            host: &*host,
            journal: &*journal,
            requests,
            deadlines: &deadlines,
        });
        let session = open_session(&*host, &*journal, &node, means, limits.start_wait).await?;
        let slots = Arc::new(Semaphore::new(limits.in_flight));
        Ok(Arc::new(Self {
            deadlines,
            node,
            peers,
            requests,
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
        let weight = self.weight(payload.len());
        let slot = match self.slots.try_acquire_many(weight) {
            Ok(slot) => slot,
            // Rare, so it takes no room in the future of every command.
            Err(_) => Box::pin(self.wait_for_slot(name, weight, until)).await?,
        };
        let id = context.message_id.unwrap_or_else(|| self.session.mint());
        let ticket = Ticket { committer: self, id, is_ours: true, in_doubt: false };
        Ok(Call {
            id,
            key: outside_key(name, context),
            payload_hash: payload_hash(payload),
            at: Timestamp::from_millis(self.host.wall_ms()),
            until,
            forwarded: None,
            ticket,
            _slot: slot,
        })
    }

    /// Admits a command of another node's, as [`admit`](Self::admit) does one of this node's.
    pub(crate) async fn admit_command(
        &self,
        command: &ForwardedCommand,
        remaining: Duration,
    ) -> Result<Call<'_>, Fault> {
        let forwarded =
            Forwarded { marks: command.marks.clone(), proposed: RecordedAnswer::default() };
        let (id, bytes) = (command.id, command.payload.len());
        let mut call = self.admit_forwarded(id, bytes, remaining, Box::new(forwarded)).await?;
        call.key = outside_key(&command.name, &command.context);
        call.payload_hash = payload_hash(&command.payload);
        call.at = command.at;
        Ok(call)
    }

    /// A place for something of another node's with a payload of `bytes`.
    async fn admit_forwarded(
        &self,
        id: MessageId,
        bytes: usize,
        remaining: Duration,
        forwarded: Box<Forwarded>,
    ) -> Result<Call<'_>, Fault> {
        let until = self.host.now().saturating_add(remaining);
        let weight = self.weight(bytes);
        let slot = match self.slots.try_acquire_many(weight) {
            Ok(slot) => slot,
            Err(_) => Box::pin(self.wait_for_slot("a peer", weight, until)).await?,
        };
        let ticket = Ticket { committer: self, id, is_ours: false, in_doubt: false };
        Ok(Call {
            id,
            key: None,
            payload_hash: 0,
            at: Timestamp::default(),
            until,
            forwarded: Some(forwarded),
            ticket,
            _slot: slot,
        })
    }

    /// True if commands run on this node: it leads, or there is no other.
    pub(crate) fn runs_here(&self) -> bool {
        self.peers.is_none() || self.leads()
    }

    /// True if this node leads, and has applied what was acknowledged before it did.
    pub(crate) fn leads(&self) -> bool {
        self.journal.leadership().role == Role::Leader
    }

    /// A search of `call` for whoever leads.
    ///
    /// # Panics
    /// Without peers.
    pub(crate) fn search(&self, call: &Call<'_>) -> Search<'_> {
        let means = self.means().expect("only a node with peers looks for a leader");
        let counted = self.journal.counted(call.id, call.key.as_ref(), call.payload_hash);
        Search::new(means, counted, call.until)
    }

    /// What it takes to look for a leader; none without peers.
    pub(crate) fn means(&self) -> Option<Means<'_>> {
        Some(Means {
            node: &self.node,
            host: &*self.host,
            journal: &*self.journal,
            requests: self.requests.as_ref()?,
            deadlines: &self.deadlines,
        })
    }

    /// Waits a bounded time until this node has applied the effect at `offset`, of which another
    /// node said that it counted; false if it has not.
    pub(crate) async fn show(&self, offset: Offset) -> bool {
        let applied = self.journal.applied();
        if applied.get() >= offset {
            return true;
        }
        let until = self.host.now().saturating_add(self.limits.visible_wait);
        self.deadlines.by(until, applied.reach(offset)).await == Ok(true)
    }

    pub(crate) fn position(&self, offset: Offset) -> Position {
        Position { incarnation: self.journal.incarnation(), partition: 0, offset }
    }

    /// How full the tables of calls under way are.
    pub(crate) fn held(&self) -> Vec<Held> {
        let most = self.limits.in_flight;
        let mut held = vec![
            Held::new("commands", most.saturating_sub(self.slots.available_permits()), most),
            Held::within_others("keyed commands", self.flights.len()),
            // Those under way have found room before the rest was recorded.
            Held::new("keys", self.journal.keys().count, self.limits.keys + most),
            Held::within_others(
                "requests gathered",
                self.requests.as_ref().map_or(0, |requests| requests.len()),
            ),
        ];
        held.extend(self.peers.iter().flat_map(|peers| peers.held()));
        held
    }

    /// What this node's session says with the id of `call`.
    pub(crate) fn marks(&self, call: &Call<'_>) -> Marks {
        self.session.marks(call.id, || self.host.now())
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
    fn weight(&self, bytes: usize) -> u32 {
        let weight = 1 + bytes / PAYLOAD_PER_SLOT;
        u32::try_from(weight.min(self.limits.in_flight)).unwrap_or(u32::MAX)
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
        let mut effect = Effect::new(call.id, self.next_attempt(call.id));
        let marks = match &call.forwarded {
            Some(forwarded) => forwarded.marks.clone(),
            None => self.marks(call),
        };
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

    fn next_attempt(&self, message: MessageId) -> AttemptId {
        let sequence = self.attempts.fetch_add(1, Ordering::Relaxed);
        AttemptId { message, term: self.journal.term(), sequence }
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

/// The key of a command as the engine knows it: nobody else's, and of no other command.
fn outside_key(name: &str, context: &Context) -> Option<OutsideKey> {
    context.key.as_ref().map(|key| OutsideKey {
        scope: format!("{}\n{name}", context.principal.as_deref().unwrap_or_default()),
        key: key.to_string(),
    })
}
