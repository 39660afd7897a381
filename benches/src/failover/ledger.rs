use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::orders::OrderId;
use crate::trio::Ask;

/// The status of a server that has taken nothing of the request, such as one that drains.
const SENDS_ON: &str = "503";

/// Everything that was acknowledged, in the order in which it was.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    acknowledged: Vec<Acknowledged>,
    counts: BTreeMap<String, u64>,
    pub(super) failures: Failures,
}

#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    /// When the order was sent for the first time.
    sent: Instant,
    at: Instant,
    order: OrderId,
}

/// How attempts ended that were made again.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    /// There was no connection: nothing was sent.
    pub(super) turned_away: u64,
    /// The connection ended after the request was sent.
    pub(super) broken: u64,
    /// There was no answer in time.
    pub(super) late: u64,
    /// The answer was that it did not work, by its status.
    pub(super) refused: BTreeMap<String, u64>,
}

impl Ledger {
    pub(super) fn acknowledge(&mut self, customer: &str, sent: Instant, order: OrderId) {
        self.acknowledged.push(Acknowledged { sent, at: Instant::now(), order });
        *self.counts.entry(customer.to_owned()).or_default() += 1;
    }

    /// When the first order was acknowledged of those that were sent after `start`.
    pub(super) fn first_after(&self, start: Instant) -> Option<Instant> {
        let since = self.since(start).iter();
        since.filter(|acknowledged| acknowledged.sent >= start).map(|first| first.at).next()
    }

    /// The longest time since `start` without an acknowledgement.
    pub(super) fn longest_pause(&self, start: Instant) -> Duration {
        let mut before = start;
        let pause = |acknowledged: &Acknowledged| {
            acknowledged.at - std::mem::replace(&mut before, acknowledged.at)
        };
        self.since(start).iter().map(pause).max().unwrap_or_default()
    }

    /// The question to a node whether all of it is there.
    pub(super) fn audit(&self) -> Ask {
        Ask::Audit {
            acknowledged: self.counts.clone().into_iter().collect(),
            orders: self.acknowledged.iter().map(|acknowledged| acknowledged.order).collect(),
        }
    }

    fn since(&self, start: Instant) -> &[Acknowledged] {
        let first = self.acknowledged.partition_point(|acknowledged| acknowledged.at < start);
        &self.acknowledged[first..]
    }
}

impl Failures {
    /// Those that a client notices as more than a server that is not there, or that sends it on to
    /// another one.
    pub(super) fn after_sending(&self) -> u64 {
        let refused = self.refused.iter().filter(|(status, _)| *status != SENDS_ON);
        self.broken + self.late + refused.map(|(_, times)| times).sum::<u64>()
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { turned_away, broken, late, refused } = self;
        write!(
            f,
            "of all attempts {turned_away} found no server, {broken} broke off, {late} had no \
             answer in time"
        )?;
        refused
            .iter()
            .try_for_each(|(status, times)| write!(f, ", {times} were refused by {status}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Of orders that were sent and acknowledged after so many milliseconds.
    fn ledger(start: Instant, orders: &[(u64, u64)]) -> Ledger {
        let order = catga::Uuid::nil().into();
        let acknowledged = orders.iter().map(|(sent, at)| Acknowledged {
            sent: start + ms(*sent),
            at: start + ms(*at),
            order,
        });
        Ledger { acknowledged: acknowledged.collect(), ..Ledger::default() }
    }

    #[test]
    fn an_answer_to_what_was_sent_before_does_not_count_as_the_first_after() {
        let start = Instant::now();
        let ledger = ledger(start, &[(0, 5), (8, 12), (11, 30), (12, 40)]);
        assert_eq!(ledger.first_after(start + ms(10)), Some(start + ms(30)));
        assert_eq!(ledger.first_after(start + ms(13)), None);
    }

    #[test]
    fn the_longest_pause_begins_at_an_acknowledgement_or_with_the_incident() {
        let start = Instant::now();
        let ledger = ledger(start, &[(0, 5), (8, 20), (11, 23), (12, 31)]);
        assert_eq!(ledger.longest_pause(start + ms(10)), ms(10));
        assert_eq!(ledger.longest_pause(start + ms(22)), ms(8));
        assert_eq!(ledger.longest_pause(start + ms(40)), Duration::ZERO);
    }
}
