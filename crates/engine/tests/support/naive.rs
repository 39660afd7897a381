//! The rules written down a second time, as plainly as can be: a list of what counted, and every
//! question answered by reading all of it.

use catga_core::{AttemptId, Condition, MessageId, Offset, SessionId, StreamName, Tag, Timestamp};
use catga_engine::{Directive, Effect, Entry, Limits, Lookup, OutsideKey, Rejection, Verdict};

pub(crate) struct Counted {
    pub(crate) effect: Effect,
    pub(crate) time_ms: u64,
}

pub(crate) struct Naive {
    pub(crate) limits: Limits,
    /// The effect with offset `n` stands at `n - 1`.
    pub(crate) counted: Vec<Counted>,
    pub(crate) time_ms: u64,
    pub(crate) wall: Timestamp,
}

/// A stream's events, its last effect and that effect's attempt.
pub(crate) type Head = (u64, u64, AttemptId);

impl Naive {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, counted: Vec::new(), time_ms: 0, wall: Timestamp::default() }
    }

    pub(crate) fn apply(&mut self, entry: &Entry) -> (Vec<Verdict>, Vec<u64>) {
        self.time_ms = self.time_ms.saturating_add(entry.elapsed_ms);
        self.wall = self.wall.max(entry.wall);
        let (mut verdicts, mut versions) = (Vec::new(), Vec::new());
        for effect in &entry.effects {
            let verdict = self.verdict(effect, entry.engine);
            if matches!(verdict, Verdict::Counted { .. }) {
                for (index, event) in effect.events.iter().enumerate() {
                    let earlier = &effect.events[..index];
                    let before = earlier.iter().filter(|it| it.stream == event.stream).count();
                    let recorded = self.head(&event.stream).map_or(0, |head| head.0);
                    versions.push(recorded + before as u64 + 1);
                }
                self.counted.push(Counted { effect: effect.clone(), time_ms: self.time_ms });
            }
            verdicts.push(verdict);
        }
        (verdicts, versions)
    }

    fn verdict(&self, effect: &Effect, engine: u32) -> Verdict {
        let needed = match effect.directive {
            Some(Directive::RaiseEngine { to }) => to,
            Some(Directive::CloseSession { .. }) => 2,
            _ => 0,
        };
        if needed > engine {
            return Verdict::Rejected(Rejection::EngineVersion);
        }
        let mut known = match &effect.directive {
            Some(Directive::OpenSession { node, nonce }) => {
                if effect.id.session.0 != 0 || effect.id.sequence != *nonce {
                    Lookup::Expired
                } else {
                    self.opened(node, *nonce).map_or(Lookup::New, |offset| Lookup::Known { offset })
                }
            }
            _ => self.id(effect.id, effect.payload_hash),
        };
        if matches!(known, Lookup::New | Lookup::Expired)
            && let Some(by_key) = self.key(effect.key.as_ref(), effect.payload_hash)
        {
            known = by_key;
        }
        match known {
            Lookup::Known { offset } => return Verdict::Duplicate { of: offset },
            Lookup::PayloadMismatch => return Verdict::Rejected(Rejection::PayloadMismatch),
            Lookup::Expired => return Verdict::Rejected(Rejection::Expired),
            Lookup::New => {}
        }
        for (index, condition) in effect.conditions.iter().enumerate() {
            if let Some(at) = self.contradiction(condition) {
                return Verdict::Conflict { condition: index as u32, at: Offset(at) };
            }
        }
        Verdict::Counted { offset: Offset(self.counted.len() as u64 + 1) }
    }

    pub(crate) fn lookup(&self, id: MessageId, key: Option<&OutsideKey>, hash: u64) -> Lookup {
        let by_id = if id.session.0 == 0 { Lookup::New } else { self.id(id, hash) };
        match by_id {
            Lookup::New | Lookup::Expired => self.key(key, hash).unwrap_or(by_id),
            known => known,
        }
    }

    fn contradiction(&self, condition: &Condition) -> Option<u64> {
        match condition {
            Condition::StreamAt { stream, version } => {
                let (at, offset) = self.head(stream).map_or((0, 0), |head| (head.0, head.1));
                (at != *version).then_some(offset)
            }
            Condition::StreamAbsent { stream } => self.head(stream).map(|head| head.1),
            Condition::RecordAt { key, offset } => {
                let at = self.record(key).map(|record| record.0);
                (at != offset.map(|offset| offset.0)).then(|| at.unwrap_or(0))
            }
            Condition::TagQuiet { tag, after } => self.tag(tag).filter(|last| *last > after.0),
            Condition::WrittenBy { stream, attempt } => match self.head(stream) {
                Some((_, _, writer)) if writer == *attempt => None,
                other => Some(other.map_or(0, |head| head.1)),
            },
            _ => unreachable!("the tests write no other condition"),
        }
    }

    pub(crate) fn head(&self, stream: &StreamName) -> Option<Head> {
        let mut head = None;
        for (offset, counted) in self.numbered() {
            for event in counted.effect.events.iter().filter(|event| event.stream == *stream) {
                let _ = event;
                let version = head.map_or(0, |(version, ..): Head| version);
                head = Some((version + 1, offset, counted.effect.attempt));
            }
        }
        head
    }

    /// A record's offset and value.
    pub(crate) fn record(&self, key: &StreamName) -> Option<(u64, &[u8])> {
        let writes = self.numbered().flat_map(|(offset, counted)| {
            counted.effect.records.iter().map(move |write| (offset, write))
        });
        let (offset, last) = writes.filter(|(_, write)| write.key == *key).last()?;
        Some((offset, last.value.as_deref()?))
    }

    pub(crate) fn tag(&self, tag: &Tag) -> Option<u64> {
        let tagged = self.numbered().filter(|(_, counted)| {
            counted.effect.events.iter().any(|event| event.tags.contains(tag))
        });
        tagged.map(|(offset, _)| offset).last()
    }

    pub(crate) fn version(&self) -> u32 {
        let raised = self.counted.iter().filter_map(|counted| match counted.effect.directive {
            Some(Directive::RaiseEngine { to }) => Some(to),
            _ => None,
        });
        raised.fold(1, u32::max)
    }

    /// The open session of a node.
    pub(crate) fn session_of(&self, node: &str) -> Option<u64> {
        self.openings(node).last().map(|(offset, _)| offset)
    }

    /// Those since the node's session was closed last.
    fn openings(&self, of: &str) -> impl Iterator<Item = (u64, u64)> {
        let closings = self.numbered().filter(|(_, counted)| {
            matches!(&counted.effect.directive, Some(Directive::CloseSession { node }) if node == of)
        });
        let closed = closings.map(|(offset, _)| offset).last().unwrap_or_default();
        self.numbered().filter_map(move |(offset, counted)| match &counted.effect.directive {
            Some(Directive::OpenSession { node, nonce }) if node == of && offset > closed => {
                Some((offset, *nonce))
            }
            _ => None,
        })
    }

    pub(crate) fn opened(&self, node: &str, nonce: u64) -> Option<Offset> {
        let openings: Vec<_> = self.openings(node).collect();
        let remembered = &openings[openings.len().saturating_sub(64)..];
        remembered.iter().find(|opening| opening.1 == nonce).map(|opening| Offset(opening.0))
    }

    /// The node of an open session.
    pub(crate) fn node_of(&self, session: SessionId) -> Option<&str> {
        let place = usize::try_from(session.0.checked_sub(1)?).ok()?;
        match &self.counted.get(place)?.effect.directive {
            Some(Directive::OpenSession { node, .. }) => {
                (self.session_of(node) == Some(session.0)).then_some(node)
            }
            _ => None,
        }
    }

    /// The session's mark, and what was ever kept below it with the time of that.
    pub(crate) fn mark(&self, session: SessionId) -> (u64, Vec<(u64, u64)>) {
        let (mut mark, mut kept) = (0, Vec::new());
        for counted in self.counted.iter().filter(|it| it.effect.id.session == session) {
            let effect = &counted.effect;
            while mark < effect.low_water {
                if effect.kept.contains(&mark) {
                    let live = kept.iter().filter(|(_, since_ms)| {
                        counted.time_ms - since_ms < self.limits.kept_retention_ms
                    });
                    let full = live.count() >= self.limits.kept;
                    if full && self.limits.kept_retention_ms > 0 {
                        break;
                    }
                    kept.push((mark, counted.time_ms));
                }
                mark += 1;
            }
        }
        (mark, kept)
    }

    pub(crate) fn live_kept(&self, session: SessionId) -> Vec<u64> {
        let kept = self.mark(session).1.into_iter();
        let live =
            kept.filter(|(_, since_ms)| self.time_ms - since_ms < self.limits.kept_retention_ms);
        live.map(|(sequence, _)| sequence).collect()
    }

    fn id(&self, id: MessageId, hash: u64) -> Lookup {
        if self.node_of(id.session).is_none() {
            return Lookup::Expired;
        }
        let forgotten = id.sequence < self.mark(id.session).0;
        if forgotten && !self.live_kept(id.session).contains(&id.sequence) {
            return Lookup::Expired;
        }
        match self.numbered().find(|(_, counted)| counted.effect.id == id) {
            None => Lookup::New,
            Some((offset, counted)) => recalled(offset, counted, hash),
        }
    }

    fn key(&self, key: Option<&OutsideKey>, hash: u64) -> Option<Lookup> {
        let key = key?;
        let mut live = self.numbered().filter(|(_, counted)| self.is_live(counted));
        let (offset, counted) = live.find(|(_, it)| it.effect.key.as_ref() == Some(key))?;
        Some(recalled(offset, counted, hash))
    }

    fn is_live(&self, counted: &Counted) -> bool {
        self.time_ms - counted.time_ms < self.limits.key_retention_ms
    }

    pub(crate) fn live_keys(&self) -> usize {
        let keyed = self.counted.iter().filter(|counted| counted.effect.key.is_some());
        keyed.filter(|counted| self.is_live(counted)).count()
    }

    pub(crate) fn ids(&self, session: SessionId) -> usize {
        let mark = self.mark(session).0;
        let ids = self.counted.iter().map(|counted| counted.effect.id);
        ids.filter(|id| id.session == session && id.sequence >= mark).count()
    }

    fn numbered(&self) -> impl Iterator<Item = (u64, &Counted)> {
        (1..).zip(&self.counted)
    }
}

fn recalled(offset: u64, counted: &Counted, hash: u64) -> Lookup {
    if counted.effect.payload_hash == hash {
        Lookup::Known { offset: Offset(offset) }
    } else {
        Lookup::PayloadMismatch
    }
}
