use std::time::Duration;

use catga_core::{Offset, RecordedEvent};

/// A checkpoint is due after so many effects or events, whichever are more: folding them again
/// takes some hundredths of a second.
const STEPS: u64 = 10_000;

/// No two checkpoints begin within less: a small and busy projection would do little else.
const PAUSE: Duration = Duration::from_secs(10);

/// What an effect weighs that holds nothing to fold: looking past it costs about that many bytes.
const PASSED_BYTES: u64 = 32;

/// When the next checkpoint of a projection is due.
///
/// It is after [`STEPS`], and only once at least as many bytes of events have been folded as the
/// last checkpoint was large. So each byte of an event pays for at most one byte of a checkpoint,
/// however large the state is; and what a start folds again after a crash is at most the most of
/// [`STEPS`], as many bytes of events as the checkpoint is large, and what came within [`PAUSE`].
#[derive(Debug)]
pub(super) struct Due {
    steps: u64,
    bytes: u64,
    /// How large the last checkpoint was.
    len: u64,
    /// How large the one was that this life of the process began with.
    len_at_start: u64,
    /// How many bytes of events this life had folded when the last checkpoint began.
    before: u64,
    /// By how much a byte of an event makes the state larger; all of it as long as nobody knows.
    growth: f64,
    not_before: Duration,
    /// The last effect whose events were folded.
    last_event: Offset,
}

impl Due {
    /// The last checkpoint has `len` bytes, zero if there is none.
    pub(super) fn new(len: u64) -> Self {
        Self {
            steps: 0,
            bytes: 0,
            len,
            len_at_start: len,
            before: 0,
            growth: 1.0,
            not_before: Duration::ZERO,
            last_event: Offset::ZERO,
        }
    }

    /// Counts `events`, all that were to be folded in the next `effects` effects.
    pub(super) fn folded(&mut self, events: &[RecordedEvent], effects: u64) {
        let payloads: u64 = events.iter().map(|event| event.payload.len() as u64).sum();
        self.steps += effects.max(events.len() as u64);
        self.bytes += payloads + PASSED_BYTES * effects;
        if let Some(event) = events.last() {
            self.last_event = event.meta.position.offset;
        }
    }

    /// How long until a checkpoint is due, unless more has to be folded first.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        let is_due = self.steps >= STEPS && self.bytes >= self.len;
        is_due.then(|| self.not_before.saturating_sub(now))
    }

    /// A checkpoint begins now, or the last one still goes on; the next one is due later.
    pub(super) fn begin(&mut self, now: Duration) {
        self.before += self.bytes;
        (self.steps, self.bytes) = (0, 0);
        self.not_before = now + PAUSE;
    }

    /// About how large the state is: as the last checkpoint, and larger by what came since.
    pub(super) fn size(&self) -> u64 {
        self.len.saturating_add((self.bytes as f64 * self.growth) as u64)
    }

    /// The state took `len` bytes.
    pub(super) fn saved(&mut self, len: u64) {
        self.len = len;
        if self.before > 0 {
            let grown = len.saturating_sub(self.len_at_start);
            self.growth = (grown as f64 / self.before as f64).min(1.0);
        }
    }

    /// The last checkpoint is of no use any more: the next one is made of the state itself.
    pub(super) fn lost(&mut self) {
        (self.len, self.growth) = (0, 0.0);
    }

    /// True if a checkpoint at `offset` spares the next start anything worth speaking of, beside
    /// the one at `checkpointed`.
    pub(super) fn is_worth_it(&self, offset: Offset, checkpointed: Offset) -> bool {
        self.last_event > checkpointed || offset.0.saturating_sub(checkpointed.0) >= STEPS
    }
}

#[cfg(test)]
mod tests {
    use catga_core::{EventMeta, Position, StreamName, Timestamp};

    use super::*;

    fn event(offset: u64, len: usize) -> RecordedEvent {
        let position = Position { offset: Offset(offset), ..Position::default() };
        RecordedEvent {
            name: "e".into(),
            schema: 1,
            payload: vec![0; len].into(),
            tags: [].into(),
            meta: EventMeta::new(position, StreamName::new("s", "1"), offset, Timestamp::default()),
        }
    }

    #[test]
    fn it_is_due_by_number_by_size_and_by_time() {
        let mut due = Due::new(0);
        due.folded(&[], STEPS - 1);
        assert_eq!(due.wait(PAUSE), None);
        due.folded(&[event(10_000, 1)], 1);
        assert_eq!(due.wait(Duration::ZERO), Some(Duration::ZERO), "the first is due at once");
        due.begin(PAUSE);
        due.saved(1 << 20);
        due.folded(&[], STEPS);
        assert_eq!(due.wait(PAUSE), None, "it is larger than what was folded since");
        due.folded(&[event(20_001, 1 << 20)], 1);
        assert_eq!(due.wait(PAUSE), Some(PAUSE));
        assert_eq!(due.wait(PAUSE * 3), Some(Duration::ZERO));
    }

    #[test]
    fn the_size_is_what_it_was_and_what_came_since_in_proportion() {
        let mut due = Due::new(0);
        due.folded(&[event(1, 1 << 20)], 1);
        assert_eq!(due.size(), (1 << 20) + PASSED_BYTES, "nothing is known, so that all counts");
        due.begin(Duration::ZERO);
        due.saved(1 << 19);
        assert_eq!(due.size(), 1 << 19);
        due.folded(&[event(2, 1 << 20)], 1);
        assert!((999_000..1_049_000).contains(&due.size()), "half of it: {}", due.size());
        due.begin(Duration::ZERO);
        due.saved(16);
        due.folded(&[event(3, 1 << 20)], 1);
        assert!(due.size() < 100, "a state that does not grow");
    }

    #[test]
    fn many_events_of_one_effect_count_each() {
        let mut due = Due::new(0);
        let events: Vec<_> = (0..STEPS).map(|_| event(1, 0)).collect();
        due.folded(&events, 1);
        assert_eq!(due.wait(Duration::ZERO), Some(Duration::ZERO));
    }

    #[test]
    fn a_last_one_is_worth_it_if_anything_was_folded_or_much_was_passed() {
        let mut due = Due::new(0);
        assert!(!due.is_worth_it(Offset(8), Offset(0)), "a few effects held nothing for it");
        assert!(due.is_worth_it(Offset(STEPS), Offset(0)));
        due.folded(&[event(3, 0)], 3);
        assert!(due.is_worth_it(Offset(3), Offset(2)));
        assert!(!due.is_worth_it(Offset(8), Offset(3)));
    }
}
