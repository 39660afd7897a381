use std::sync::Arc;

use catga_core::{MessageId, Offset, SessionId, Timestamp};

use crate::condition;
use crate::keys::{Alias, Keys};
use crate::rolling::Rolling;
use crate::session::{Found, Recorded};
use crate::sessions::Sessions;
use crate::{
    Applied, Directive, Effect, Entry, Limits, Lookup, MemoryState, OutsideKey, RecordHead,
    Rejection, Remembered, RememberedKeys, SessionInfo, State, Verdict,
};

/// The newest version of the rules that this build decides by.
///
/// | version | what it added |
/// |---|---|
/// | 1 | the first |
/// | 2 | [`Directive::CloseSession`] |
pub const ENGINE_VERSION: u32 = 2;

/// The version of the rules in a journal that nothing has raised.
pub const FIRST_ENGINE_VERSION: u32 = 1;

/// The state machine: applies entries in log order and decides which effects count.
///
/// Every node that applies the same entries with the same [`Limits`] gives the same verdicts and
/// holds the same state.
#[derive(Clone, Debug)]
pub struct Engine<S> {
    pub(crate) state: S,
    pub(crate) limits: Limits,
    pub(crate) version: u32,
    pub(crate) offset: Offset,
    /// Journal time: the sum of what the entries say has passed.
    pub(crate) time_ms: u64,
    pub(crate) wall: Timestamp,
    pub(crate) sessions: Sessions,
    pub(crate) keys: Keys,
    pub(crate) rolling: Rolling,
}

/// The entry cannot be decided by this build; the engine is as it was, and the node must stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The entry needs newer rules.
    #[error("the entry needs engine version {entry}, and this build knows up to {ENGINE_VERSION}")]
    NewerEngine {
        /// The version that it needs.
        entry: u32,
    },
}

impl<S: State> Engine<S> {
    /// An engine that has applied nothing, over `state`, which must be empty.
    pub fn new(state: S, limits: Limits) -> Self {
        Self {
            state,
            limits,
            version: FIRST_ENGINE_VERSION,
            offset: Offset::ZERO,
            time_ms: 0,
            wall: Timestamp::default(),
            sessions: Sessions::default(),
            keys: Keys::default(),
            rolling: Rolling::new(0),
        }
    }

    /// A copy without heads, made in an instant however much there is: a shell writes it down
    /// while this one goes on.
    pub fn without_heads(&self) -> Engine<MemoryState> {
        Engine {
            state: MemoryState::new(),
            limits: self.limits,
            version: self.version,
            offset: self.offset,
            time_ms: self.time_ms,
            wall: self.wall,
            sessions: self.sessions.clone(),
            keys: self.keys.clone(),
            rolling: self.rolling.clone(),
        }
    }

    /// Forgets which ids and keys have counted: a bug on purpose.
    #[cfg(feature = "planted")]
    pub fn forget_what_counted(&mut self) {
        self.sessions = Sessions::default();
        self.keys = Keys::default();
    }

    /// Forgets the latest wall time: a bug on purpose.
    #[cfg(feature = "planted")]
    pub fn forget_wall(&mut self) {
        self.wall = Timestamp::default();
    }

    /// Goes on at a time of its own: a bug on purpose.
    #[cfg(feature = "planted")]
    pub fn set_time_ms(&mut self, time_ms: u64) {
        self.time_ms = time_ms;
    }

    /// Decides every effect of the entry in order; each sees what those before it did.
    ///
    /// `raw` are the entry's bytes as they stand in the log, for [`hash`](Self::hash). `out` is
    /// emptied first.
    ///
    /// # Errors
    /// When the entry needs a newer engine. Nothing has changed then.
    pub fn apply(
        &mut self,
        entry: &Entry,
        raw: &[u8],
        out: &mut Applied,
    ) -> Result<(), ApplyError> {
        out.clear();
        if entry.engine > ENGINE_VERSION {
            return Err(ApplyError::NewerEngine { entry: entry.engine });
        }
        self.time_ms = self.time_ms.saturating_add(entry.elapsed_ms);
        self.wall = self.wall.max(entry.wall);
        self.keys.purge(self.time_ms, &self.limits);
        self.rolling.begin(raw);
        let before = self.offset;
        for effect in &entry.effects {
            let verdict = match self.decide(effect, entry.engine) {
                Ok(()) => self.count(effect, &mut out.versions),
                Err(verdict) => verdict,
            };
            self.rolling.verdict(verdict);
            out.verdicts.push(verdict);
        }
        self.rolling.end(self.offset > before);
        Ok(())
    }

    /// What is known of a command: what a node asks before it runs a handler.
    ///
    /// The id is asked first, then the key, which may outlive the id. An id of session zero opens
    /// a session and is new here; only [`opened`](Self::opened) knows better.
    pub fn lookup(&self, id: MessageId, key: Option<&OutsideKey>, payload_hash: u64) -> Lookup {
        let by_id =
            if id.session == SessionId(0) { Lookup::New } else { self.by_id(id, payload_hash) };
        self.or_by_key(by_id, key, payload_hash)
    }

    /// The effect by which this start of the node opened its session, which is named by it.
    ///
    /// The last 64 starts of each node are remembered.
    pub fn opened(&self, node: &str, nonce: u64) -> Option<Offset> {
        self.sessions.opened(node, nonce)
    }

    /// The message id that was minted for a key, while the key is remembered.
    pub fn alias(&self, key: &OutsideKey) -> Option<MessageId> {
        let alias = self.keys.find(key, self.time_ms, &self.limits)?;
        Some(alias.id)
    }

    /// How many keys are remembered, and whether an entry `ahead_ms` from now forgets some.
    ///
    /// For whoever is about to propose a command under a new key. How many there may be is no rule of
    /// the engine: what stands in the log counts, whatever limit a node has.
    pub fn keys(&self, ahead_ms: u64) -> RememberedKeys {
        let then_ms = self.time_ms.saturating_add(ahead_ms);
        RememberedKeys {
            count: self.keys.len(),
            some_are_over: self.keys.purges_at(then_ms, &self.limits),
        }
    }

    /// How many effects have counted.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// Journal time in milliseconds: what has passed by the leaders' monotonic clocks.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// The latest wall time of any entry; it never goes back.
    pub fn wall(&self) -> Timestamp {
        self.wall
    }

    /// A hash over every entry that was applied and of which something counted, and what came of
    /// it: the bytes, the verdicts, the versions of events, and what records became. Equal on two
    /// nodes that are at the same offset if and only if (up to collisions of 64 bits) they hold the
    /// same.
    pub fn hash(&self) -> u64 {
        self.rolling.hash()
    }

    /// The version of the rules in force.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The heads as they stand.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The state, for a shell that must fetch keys into it before an entry is applied.
    pub fn state_mut(&mut self) -> &mut S {
        &mut self.state
    }

    /// The same engine over heads that `keep` makes of its own: those of a shell that keeps them
    /// elsewhere.
    pub fn with_state<T: State>(self, keep: impl FnOnce(S) -> T) -> Engine<T> {
        let Self { state, limits, version, offset, time_ms, wall, sessions, keys, rolling } = self;
        let state = keep(state);
        Engine { state, limits, version, offset, time_ms, wall, sessions, keys, rolling }
    }

    /// How much it remembers.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How much it remembers of what has counted.
    pub fn remembered(&self) -> Remembered {
        let mut remembered = Remembered { keys: self.keys.len(), ..Remembered::default() };
        for (_, session) in self.sessions.iter() {
            remembered.sessions += 1;
            remembered.ids += session.ids.len();
            remembered.kept += session.kept.len();
        }
        remembered
    }

    /// An open session; none if it was closed or never opened.
    pub fn session(&self, id: SessionId) -> Option<SessionInfo> {
        self.sessions.info(id, self.time_ms, &self.limits)
    }

    /// The written names of the nodes that have a session.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<str>> {
        self.sessions.nodes()
    }

    /// Whether the effect counts; if not, the verdict on it. Leaves no trace.
    fn decide(&self, effect: &Effect, engine: u32) -> Result<(), Verdict> {
        // Judged by the entry and not by what this build knows, which differs between nodes.
        if effect.directive.as_ref().is_some_and(|asks| asks.engine_version() > engine) {
            return Err(Verdict::Rejected(Rejection::EngineVersion));
        }
        let by_id = match &effect.directive {
            Some(Directive::OpenSession { node, nonce }) => self.by_start(effect.id, node, *nonce),
            _ => self.by_id(effect.id, effect.payload_hash),
        };
        match self.or_by_key(by_id, effect.key.as_ref(), effect.payload_hash) {
            Lookup::New => {}
            Lookup::Known { offset } => return Err(Verdict::Duplicate { of: offset }),
            Lookup::PayloadMismatch => {
                return Err(Verdict::Rejected(Rejection::PayloadMismatch));
            }
            Lookup::Expired => return Err(Verdict::Rejected(Rejection::Expired)),
        }
        for (condition, index) in effect.conditions.iter().zip(0..) {
            condition::check(condition, &self.state)
                .map_err(|at| Verdict::Conflict { condition: index, at })?;
        }
        Ok(())
    }

    /// Gives the effect its offset and does what it says.
    fn count(&mut self, effect: &Effect, versions: &mut Vec<u64>) -> Verdict {
        let offset = self.offset.next();
        self.offset = offset;
        self.write_events(effect, offset, versions);
        for write in &effect.records {
            self.rolling.record(&write.key, write.value.as_ref(), offset);
            let head = write.value.clone().map(|value| RecordHead { offset, value });
            self.state.put_record(&write.key, head);
        }
        let payload_hash = effect.payload_hash;
        if let Some(session) = self.sessions.get_mut(effect.id.session) {
            session.record(effect.id.sequence, Recorded { offset, payload_hash });
            session.raise(effect.low_water, &effect.kept, self.time_ms, &self.limits);
        }
        if let Some(key) = &effect.key {
            let (id, since_ms) = (effect.id, self.time_ms);
            let alias = Alias { id, offset, payload_hash, since_ms };
            self.keys.record(Arc::new(key.clone()), alias);
        }
        match &effect.directive {
            Some(Directive::OpenSession { node, nonce }) => {
                self.sessions.open(node, *nonce, offset);
            }
            Some(Directive::RaiseEngine { to }) => self.version = self.version.max(*to),
            Some(Directive::CloseSession { node }) => self.sessions.close(node),
            None => {}
        }
        Verdict::Counted { offset }
    }

    fn write_events(&mut self, effect: &Effect, offset: Offset, versions: &mut Vec<u64>) {
        for event in &effect.events {
            let version = self.state.append(&event.stream, offset, effect.attempt);
            for tag in &event.tags {
                self.state.put_tag(tag, offset);
            }
            versions.push(version);
            self.rolling.version(version);
        }
    }

    fn by_id(&self, id: MessageId, payload_hash: u64) -> Lookup {
        let Some(session) = self.sessions.get(id.session) else {
            return Lookup::Expired;
        };
        match session.find(id.sequence, self.time_ms, &self.limits) {
            Found::New => Lookup::New,
            Found::Recorded(recorded) => recall(recorded, payload_hash),
            Found::Expired => Lookup::Expired,
        }
    }

    /// The payload of an opening is its node and nonce, so there is no other payload to tell apart.
    fn by_start(&self, id: MessageId, node: &str, nonce: u64) -> Lookup {
        if id != MessageId::new(SessionId(0), nonce) {
            return Lookup::Expired;
        }
        match self.sessions.opened(node, nonce) {
            Some(offset) => Lookup::Known { offset },
            None => Lookup::New,
        }
    }

    /// What the key says where the id has nothing to say.
    fn or_by_key(&self, by_id: Lookup, key: Option<&OutsideKey>, payload_hash: u64) -> Lookup {
        if let (Lookup::New | Lookup::Expired, Some(key)) = (by_id, key)
            && let Some(alias) = self.keys.find(key, self.time_ms, &self.limits)
        {
            let (offset, recorded_hash) = (alias.offset, alias.payload_hash);
            return recall(Recorded { offset, payload_hash: recorded_hash }, payload_hash);
        }
        by_id
    }
}

fn recall(recorded: Recorded, payload_hash: u64) -> Lookup {
    if recorded.payload_hash == payload_hash {
        Lookup::Known { offset: recorded.offset }
    } else {
        Lookup::PayloadMismatch
    }
}
