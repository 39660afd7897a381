use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catga_core::{MessageId, SessionId};

/// How long the id of a command whose outcome is unknown can be retried.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How many such ids are kept at most. When one more comes the oldest goes, and a retry of it
/// hears `Expired`.
pub(crate) const KEPT_MAX: usize = 1024;

/// How many of the latest ids can be retried although their callers were answered: a caller may
/// lose an answer that this node believes delivered.
const RETRIED: u64 = 65_536;

/// This start of this node, as the journal knows it: it mints message ids and knows which of them
/// may still be retried.
#[derive(Debug)]
pub(crate) struct Session {
    id: SessionId,
    ids: Mutex<Ids>,
    /// [`Ids::lowest`] as it last was.
    lowest: AtomicU64,
    /// How many ids are kept. Written before `lowest`, so that whoever sees the mark pass an id
    /// that is kept sees that there are such.
    kept: AtomicUsize,
}

#[derive(Debug)]
struct Ids {
    /// The lowest sequence that is under way: everything below it is done or kept.
    lowest: u64,
    /// For each sequence from `lowest` on: true once it is done.
    done: VecDeque<bool>,
    /// Sequences whose callers do not know the outcome, and until when they may ask.
    kept: BTreeMap<u64, Duration>,
}

/// What an effect tells the engine about its session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) low_water: u64,
    pub(crate) kept: Vec<u64>,
}

impl Session {
    pub(crate) fn new(id: SessionId) -> Self {
        let ids = Ids { lowest: 1, done: VecDeque::new(), kept: BTreeMap::new() };
        let ids = Mutex::new(ids);
        Self { id, ids, lowest: AtomicU64::new(1), kept: AtomicUsize::new(0) }
    }

    /// A new id, under way until it is finished or kept.
    pub(crate) fn mint(&self) -> MessageId {
        let mut ids = self.lock();
        let sequence = ids.lowest + ids.done.len() as u64;
        ids.done.push_back(false);
        MessageId::new(self.id, sequence)
    }

    /// What an effect with the id `id` carries.
    pub(crate) fn marks(&self, id: MessageId, now: impl FnOnce() -> Duration) -> Marks {
        // An id of another session says nothing about this one.
        if id.session != self.id {
            return Marks::default();
        }
        let low_water = |lowest: u64| lowest.saturating_sub(RETRIED).max(1);
        let lowest = self.lowest.load(Ordering::Acquire);
        if self.kept.load(Ordering::Relaxed) == 0 {
            return Marks { low_water: low_water(lowest), kept: Vec::new() };
        }
        let now = now();
        let mut ids = self.lock();
        ids.kept.retain(|_, until| *until > now);
        self.kept.store(ids.kept.len(), Ordering::Relaxed);
        let low_water = low_water(ids.lowest);
        let kept = ids.kept.range(..low_water).map(|(sequence, _)| *sequence).collect();
        Marks { low_water, kept }
    }

    /// Notes that the caller of `id` knows its outcome.
    pub(crate) fn finish(&self, id: MessageId) {
        if id.session == self.id {
            self.settle(&mut self.lock(), id.sequence);
        }
    }

    /// Notes that the caller of `id` does not know its outcome and may ask again.
    pub(crate) fn keep(&self, id: MessageId, now: Duration) {
        if id.session != self.id {
            return;
        }
        let mut ids = self.lock();
        ids.kept.insert(id.sequence, now + KEPT_FOR);
        if ids.kept.len() > KEPT_MAX {
            ids.kept.pop_first();
        }
        self.kept.store(ids.kept.len(), Ordering::Relaxed);
        self.settle(&mut ids, id.sequence);
    }

    fn settle(&self, ids: &mut Ids, sequence: u64) {
        ids.settle(sequence);
        self.lowest.store(ids.lowest, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ids {
    fn settle(&mut self, sequence: u64) {
        let Some(index) = sequence.checked_sub(self.lowest) else {
            return;
        };
        if let Some(done) = self.done.get_mut(index as usize) {
            *done = true;
        }
        while self.done.front() == Some(&true) {
            self.done.pop_front();
            self.lowest += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    /// A session with `count` ids after the ones that a test looks at, all done.
    fn settle_many(session: &Session, count: u64) -> MessageId {
        for _ in 0..count {
            session.finish(session.mint());
        }
        session.mint()
    }

    #[test]
    fn the_mark_rises_over_what_is_done_and_stops_below_what_is_under_way() {
        let session = Session::new(SessionId(5));
        let [first, second] = [session.mint(), session.mint()];
        assert_eq!(second, MessageId::new(SessionId(5), 2));
        session.finish(second);
        let later = settle_many(&session, RETRIED + 10);
        assert_eq!(session.marks(later, || NOW).low_water, 1, "the first is under way");
        session.finish(first);
        assert_eq!(session.marks(later, || NOW), Marks { low_water: 13, kept: vec![] });
    }

    #[test]
    fn the_latest_ids_can_be_retried_although_they_are_done() {
        let session = Session::new(SessionId(5));
        let later = settle_many(&session, RETRIED);
        assert_eq!(session.marks(later, || NOW).low_water, 1);
    }

    #[test]
    fn an_unknown_outcome_is_kept_until_its_time_is_up() {
        let session = Session::new(SessionId(5));
        session.keep(session.mint(), NOW);
        let later = settle_many(&session, RETRIED + 1);
        assert_eq!(session.marks(later, || NOW), Marks { low_water: 3, kept: vec![1] });
        assert_eq!(session.marks(later, || NOW + KEPT_FOR), Marks { low_water: 3, kept: vec![] });
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let session = Session::new(SessionId(5));
        for _ in 0..=KEPT_MAX {
            session.keep(session.mint(), NOW);
        }
        let marks = session.marks(settle_many(&session, 2 * RETRIED), || NOW);
        assert_eq!(marks.kept.len(), KEPT_MAX);
        assert_eq!(marks.kept.first(), Some(&2), "the oldest went");
    }

    #[test]
    fn an_id_of_another_session_moves_nothing() {
        let session = Session::new(SessionId(5));
        let stranger = MessageId::new(SessionId(4), 1);
        session.mint();
        session.finish(stranger);
        session.keep(stranger, NOW);
        assert_eq!(session.marks(stranger, || NOW), Marks::default());
        assert_eq!(session.marks(MessageId::new(SessionId(5), 1), || NOW).low_water, 1);
    }
}
