use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catga_core::{MessageId, SessionId};
use tokio::sync::Notify;

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
    /// Written with `ids` locked, and after all else that belongs to a new session.
    id: AtomicU64,
    ids: Mutex<Ids>,
    /// [`Ids::lowest`] as it last was.
    lowest: AtomicU64,
    /// How many ids are kept. Written before `lowest`, so that whoever sees the mark pass an id
    /// that is kept sees that there are such.
    kept: AtomicUsize,
    /// Told when the journal does not know the session any more.
    gone: Notify,
}

#[derive(Debug)]
struct Ids {
    /// The lowest sequence that is under way: everything below it is done or kept.
    lowest: u64,
    /// For each sequence from `lowest` on: true once it is done.
    done: VecDeque<bool>,
    /// Sequences whose callers do not know the outcome, and until when they may ask.
    kept: BTreeMap<u64, Duration>,
    /// True if the journal does not know the session any more.
    gone: bool,
}

/// What an effect tells the engine about its session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) low_water: u64,
    pub(crate) kept: Vec<u64>,
}

impl Session {
    pub(crate) fn new(id: SessionId) -> Self {
        Self {
            id: AtomicU64::new(id.0),
            ids: Mutex::new(Ids::new()),
            lowest: AtomicU64::new(1),
            kept: AtomicUsize::new(0),
            gone: Notify::new(),
        }
    }

    pub(crate) fn id(&self) -> SessionId {
        SessionId(self.id.load(Ordering::Acquire))
    }

    /// Goes on as the session `id`, of which no id has been minted. What was minted before belongs
    /// to a session that is closed, so nobody can retry it any more.
    pub(crate) fn replace(&self, id: SessionId) {
        let mut ids = self.lock();
        *ids = Ids::new();
        self.kept.store(0, Ordering::Relaxed);
        self.lowest.store(1, Ordering::Relaxed);
        self.id.store(id.0, Ordering::Release);
    }

    /// Notes that the journal does not know `id`. If it is one that no mark has passed, then the
    /// journal does not know the session.
    pub(crate) fn missed(&self, id: MessageId) {
        let mut ids = self.lock();
        if id.session == self.id() && id.sequence >= low_water(ids.lowest) {
            ids.gone = true;
            self.gone.notify_one();
        }
    }

    /// Ready when the journal does not know the session any more, until it is replaced.
    pub(crate) async fn gone(&self) {
        while !self.lock().gone {
            self.gone.notified().await;
        }
    }

    /// A new id, under way until it is finished or kept.
    pub(crate) fn mint(&self) -> MessageId {
        let mut ids = self.lock();
        let sequence = ids.lowest + ids.done.len() as u64;
        ids.done.push_back(false);
        MessageId::new(self.id(), sequence)
    }

    /// What an effect with the id `id` carries.
    pub(crate) fn marks(&self, id: MessageId, now: impl FnOnce() -> Duration) -> Marks {
        // An id of another session says nothing about this one.
        if id.session != self.id() {
            return Marks::default();
        }
        let lowest = self.lowest.load(Ordering::Acquire);
        if self.kept.load(Ordering::Relaxed) == 0 {
            return Marks { low_water: low_water(lowest), kept: Vec::new() };
        }
        let now = now();
        let mut ids = self.lock();
        if id.session != self.id() {
            return Marks::default();
        }
        ids.kept.retain(|_, until| *until > now);
        self.kept.store(ids.kept.len(), Ordering::Relaxed);
        let low_water = low_water(ids.lowest);
        let kept = ids.kept.range(..low_water).map(|(sequence, _)| *sequence).collect();
        Marks { low_water, kept }
    }

    /// Notes that the caller of `id` knows its outcome.
    pub(crate) fn finish(&self, id: MessageId) {
        let mut ids = self.lock();
        if id.session == self.id() {
            self.settle(&mut ids, id.sequence);
        }
    }

    /// Notes that the caller of `id` does not know its outcome and may ask again.
    pub(crate) fn keep(&self, id: MessageId, now: Duration) {
        let mut ids = self.lock();
        if id.session != self.id() {
            return;
        }
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

/// The mark of a session in which everything below `lowest` is done or kept.
fn low_water(lowest: u64) -> u64 {
    lowest.saturating_sub(RETRIED).max(1)
}

impl Ids {
    fn new() -> Self {
        Self { lowest: 1, done: VecDeque::new(), kept: BTreeMap::new(), gone: false }
    }

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

    #[test]
    fn a_session_is_gone_when_the_journal_misses_an_id_that_no_mark_has_passed() {
        let session = Session::new(SessionId(5));
        let first = session.mint();
        let is_gone = || session.lock().gone;
        session.missed(MessageId::new(SessionId(4), 1));
        assert!(!is_gone(), "an id of another session");
        session.finish(first);
        settle_many(&session, RETRIED + 1);
        session.missed(first);
        assert!(!is_gone(), "an id below the mark");
        session.missed(session.mint());
        assert!(is_gone());
    }

    #[test]
    fn a_session_that_takes_the_place_of_another_knows_nothing_of_its_ids() {
        let session = Session::new(SessionId(5));
        session.keep(session.mint(), NOW);
        let old = settle_many(&session, RETRIED + 1);
        session.missed(old);
        session.replace(SessionId(9));
        assert!(!session.lock().gone);
        let first = session.mint();
        assert_eq!(first, MessageId::new(SessionId(9), 1));
        session.finish(old);
        session.keep(old, NOW);
        session.missed(old);
        assert!(!session.lock().gone);
        assert_eq!(session.marks(old, || NOW), Marks::default());
        assert_eq!(session.marks(first, || NOW), Marks { low_water: 1, kept: vec![] });
    }
}
