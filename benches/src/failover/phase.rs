use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::incident::Incident;
use super::ledger::Failures;
use super::writers::Writers;
use crate::harness::{Figures, Latency, Row};
use crate::trio::{Audit, NODES, Timing, Trio};

/// How many order at a steady pace.
pub(super) const WRITERS: usize = 16;

/// How often each of them orders: together 500 times a second.
const PACE: Duration = Duration::from_millis(32);

/// How long all is well before the next incident: a link that ends within a second of its
/// beginning is not made again at once, and nobody's nodes die that often.
const SETTLED: Duration = Duration::from_millis(1100);

/// The same incident, again and again.
pub(super) struct Phase {
    pub(super) incident: Incident,
    pub(super) row: Row,
    /// How many requests failed during the incidents that had been sent.
    pub(super) failed: u64,
    pub(super) failures: Failures,
}

/// Lets the incident happen so often to whoever leads, and reads everything back afterwards.
pub(super) fn run_phase(incident: Incident, times: usize, done: impl Fn()) -> Result<Phase> {
    let mut trio = Trio::start(Timing::Short)?;
    let servers: Vec<_> = (0..NODES).map(|number| trio.address(number)).collect();
    let mut writers = Writers::start(&servers, WRITERS, PACE)?;
    let (mut latency, mut failed) = (Latency::new(), 0);
    for number in 0..times {
        // At another moment between two heartbeats each time.
        thread::sleep(SETTLED + Duration::from_millis(fastrand::u64(0..100)));
        let leader = trio.leader()?;
        let happened = incident.happen(&mut trio, leader, &writers);
        let happened =
            happened.with_context(|| format!("{}, time {}", incident.case(), number + 1))?;
        latency.record(happened.took);
        failed += happened.failed;
        trio.leader()?;
        done();
    }
    writers.end()?;
    let ledger = writers.ledger();
    let (mut audit, mut rss_mb) = (Audit::default(), 0.0_f64);
    for number in 0..NODES {
        rss_mb = rss_mb.max(trio.node(number).resident_mb()?);
        let of_node: Audit = trio.node(number).ask(&ledger.audit())?;
        audit.lost = audit.lost.max(of_node.lost);
        audit.doubled = audit.doubled.max(of_node.doubled);
    }
    let median = latency.us(0.5);
    let figures = Figures {
        p50_us: Some(median),
        p99_us: Some(latency.us(0.99)),
        max_us: Some(latency.us(1.0)),
        rss_mb: Some(rss_mb),
        lost: Some(audit.lost),
        doubled: Some(audit.doubled),
        ..Figures::default()
    };
    let row = Row {
        case: incident.case().to_owned(),
        subject: "catga",
        clients: Some(WRITERS),
        figures,
        rounds: times,
        spread: (latency.us(1.0) - latency.us(0.0)) / median,
        settings: "three nodes",
    };
    Ok(Phase { incident, row, failed, failures: ledger.failures.clone() })
}
