use std::time::{Duration, Instant};

/// How long clients were without an acknowledged order after a kill.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    open: Option<Open>,
    longest: Duration,
}

/// A pause that has not ended.
#[derive(Debug)]
struct Open {
    since: Instant,
    /// When the process was certainly gone: only what was asked afterwards was answered afterwards.
    gone: Instant,
}

impl Pauses {
    /// The process was killed at `since`, and was gone at `gone`.
    pub(super) fn begin(&mut self, since: Instant, gone: Instant) {
        // Killed again before anybody was answered: for the clients it is one pause.
        let since = self.open.as_ref().map_or(since, |open| open.since);
        self.open = Some(Open { since, gone });
    }

    /// An order that was asked for at `sent` is acknowledged.
    pub(super) fn acknowledged(&mut self, sent: Instant) {
        if let Some(open) = self.open.take_if(|open| sent >= open.gone) {
            self.longest = self.longest.max(open.since.elapsed());
        }
    }

    pub(super) fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_after_the_kill_ends_a_pause() {
        let mut pauses = Pauses::default();
        let before = Instant::now();
        let Some(since) = before.checked_sub(Duration::from_secs(5)) else { return };
        pauses.begin(since, before);
        pauses.acknowledged(since);
        assert_eq!(pauses.longest(), Duration::ZERO, "it was asked before");
        pauses.begin(before, before);
        pauses.acknowledged(before);
        assert!(pauses.longest() >= Duration::from_secs(5), "it began with the first kill");
    }
}
