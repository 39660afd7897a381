use std::fmt;
use std::time::Duration;

use super::findings::Findings;
use super::tally::Tally;

/// What a trial has shown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// How many orders clients saw acknowledged.
    pub acknowledged: usize,
    /// How many of them were cancelled.
    pub cancelled: usize,
    /// How often the service was killed.
    pub kills: usize,
    /// How often while it served, with requests under way.
    pub kills_under_load: usize,
    /// How often while it started, with clients waiting for it.
    pub kills_while_starting: usize,
    /// How often while it took over what other nodes have.
    pub interrupted: usize,
    /// How many attempts were sent and never answered.
    pub cut_off: usize,
    /// How many requests were answered only when they were repeated.
    pub retried: usize,
    /// How many keys that had been answered were asked again.
    pub repeated: usize,
    /// How many of those had been answered by another node.
    pub repeated_elsewhere: usize,
    /// How many of those had been answered before a kill.
    pub repeated_after_kill: usize,
    /// How many elections there were: each begins a term, also one that nobody wins.
    pub elections: u64,
    /// The longest time from a kill to the next acknowledged order.
    pub longest_pause: Duration,
    /// The longest time from the start of the process until it was ready.
    pub longest_restart: Duration,
    /// What is wrong.
    pub findings: Findings,
}

impl Verdict {
    pub(super) fn new(tally: &Tally) -> Self {
        let rest = tally.lock();
        let findings = rest.findings.clone();
        Self {
            acknowledged: tally.acknowledged(),
            cancelled: rest.cancelled,
            kills: rest.kills,
            kills_under_load: rest.kills_under_load,
            kills_while_starting: rest.kills_while_starting,
            interrupted: rest.interrupted,
            cut_off: rest.cut_off,
            retried: rest.retried,
            repeated: rest.repeated,
            repeated_elsewhere: rest.repeated_elsewhere,
            elections: rest.elections,
            repeated_after_kill: rest.repeated_after_kill,
            longest_pause: rest.pauses.longest(),
            longest_restart: rest.longest_restart,
            findings,
        }
    }

    /// True if nothing is wrong, and it was put to the test at all: killed under load.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty() && self.kills_under_load > 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} orders acknowledged, {} cancelled; {} kills, {} under load, {} while starting, {} \
             while catching up; {} elections; {} attempts cut off, {} requests retried, {} keys repeated, {} of them at \
             another node and {} after a kill; pause {:?}, restart {:?}; {}",
            self.acknowledged,
            self.cancelled,
            self.kills,
            self.kills_under_load,
            self.kills_while_starting,
            self.interrupted,
            self.elections,
            self.cut_off,
            self.retried,
            self.repeated,
            self.repeated_elsewhere,
            self.repeated_after_kill,
            self.longest_pause,
            self.longest_restart,
            self.findings,
        )
    }
}
