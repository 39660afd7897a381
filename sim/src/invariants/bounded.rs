//! I15: what a node takes for its work it gives back. When load and faults are over its tasks, open
//! files, connections, tables and disk space are within bounds that follow from how it is set up, and
//! go on as they are.
//!
//! *Source.* TigerBeetle's rule of a limit on every queue and loop; the slow leaks that only soak
//! tests of etcd and NATS showed. *Observed:* tasks by name and ends of connections, as the simulated
//! machine has them; open files and bytes, as its disk has them; the node's own gauges
//! ([`Node::held`](catga::Node::held)). Each is the least of many looks, as something is always under
//! way for a moment. *When:* at the end, of every node: they come within their bounds, and to rest: equal in
//! two quiet intervals.

mod measure;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catga_host::{Host, timeout};

pub(crate) use self::measure::Ground;

use super::Invariant;
use crate::Violation;
use crate::ledger::Ledger;

/// How long each interval is, and the pause between two looks.
const INTERVAL: Duration = Duration::from_millis(600);
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// How long nothing happens between two intervals.
const QUIET: Duration = Duration::from_secs(1);

/// How long the nodes may take to come to rest: what is written down late is by then.
const REST_WAIT: Duration = Duration::from_secs(30);

/// What is measured, by name.
type Measured = BTreeMap<String, Gauge>;

/// A count, and how much it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gauge {
    pub(super) count: u64,
    pub(super) most: u64,
}

/// What the nodes on `grounds` hold is bounded, and grows no more.
pub(crate) async fn is_bounded(
    grounds: &[Ground<'_>],
    host: &dyn Host,
    ledger: &Ledger,
) -> Result<(), Violation> {
    let mut why = String::new();
    let comes_to_rest = async {
        let mut before = lows(grounds, host).await;
        loop {
            host.sleep(QUIET).await;
            let now = lows(grounds, host).await;
            let evaluated = &mut ledger.lock().exercised.evaluated;
            now.values().for_each(|_| evaluated.count(Invariant::Bounded));
            match over(&now).or_else(|| changed(&before, &now)) {
                Some(still) => why = still,
                None => return now,
            }
            before = now;
        }
    };
    let rested = timeout(host, REST_WAIT, comes_to_rest).await;
    match rested {
        Ok(_) => Ok(()),
        Err(_) => Err(Invariant::Bounded.broken(why)),
    }
}

/// What is over its bound.
fn over(measured: &Measured) -> Option<String> {
    let (name, Gauge { count, most }) = measured.iter().find(|(_, it)| it.count > it.most)?;
    Some(format!("{name}: there are {count}, and at most {most} are right"))
}

/// What is not as it was although nothing happens.
fn changed(before: &Measured, now: &Measured) -> Option<String> {
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let count = |measured: &Measured, name| measured.get(name).map_or(0, |it: &Gauge| it.count);
    names.into_iter().find_map(|name| {
        let (before, now) = (count(before, name), count(now, name));
        let what =
            || format!("{name}: there were {before}, and are {now} although nothing happens");
        (before != now).then(what)
    })
}

/// The least of each gauge in one interval.
async fn lows(grounds: &[Ground<'_>], host: &dyn Host) -> Measured {
    let end = host.now() + INTERVAL;
    let mut lows = look(grounds);
    while host.now() < end {
        host.sleep(LOOK_EVERY).await;
        let now = look(grounds);
        // What is not there now is none.
        lows.retain(|name, _| now.contains_key(name));
        for (name, low) in &mut lows {
            low.count = low.count.min(now[name].count);
        }
    }
    lows
}

fn look(grounds: &[Ground<'_>]) -> Measured {
    grounds.iter().flat_map(Ground::measure).collect()
}
