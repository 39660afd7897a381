//! I14: when nothing is wrong any more the cluster serves again and ends every doubt; two nodes of
//! which nothing is wrong serve, whatever the third does; a node starts on whatever its machine was
//! left with, and stops when it is told to.
//!
//! *Source.* The liveness mode of TigerBeetle's VOPR: heal a core, keep the rest broken, and demand
//! progress; Jepsen on TigerBeetle 0.16 (requests that were retried for ever). *Observed:* each wait
//! of the end of a run has a bound, and what it waits for must come. *When:* with one node still dead
//! or cut off, and at the end; starts at any time.

use std::time::Duration;

use catga_host::{Host, timeout};

use super::{Evaluations, Invariant};
use crate::Violation;
use crate::ledger::Ledger;

/// How long a cluster to which nothing happens any more may take to serve.
pub(crate) const SERVE_WAIT: Duration = Duration::from_secs(30);

/// `happens` ends in time; `describe` says how things are if it does not.
pub(crate) async fn must<T>(
    host: &dyn Host,
    ledger: &Ledger,
    happens: impl Future<Output = Result<T, Violation>>,
    describe: impl FnOnce() -> String,
) -> Result<T, Violation> {
    ledger.lock().exercised.evaluated.count(Invariant::Liveness);
    timeout(host, SERVE_WAIT, happens).await.unwrap_or_else(|_| {
        Err(Invariant::Liveness.broken(format!("after {SERVE_WAIT:?}: {}", describe())))
    })
}

/// A node has started, or why it has not although it must.
pub(crate) fn started(
    evaluated: &mut Evaluations,
    failed: Option<String>,
) -> Result<(), Violation> {
    evaluated.count(Invariant::Liveness);
    match failed {
        Some(why) => Err(Invariant::Liveness.broken(format!("it does not start: {why}"))),
        None => Ok(()),
    }
}
