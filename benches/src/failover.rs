//! How long nobody is answered when the leader of three nodes is killed, stands still, or is asked
//! to end; and whether everything that was acknowledged is there afterwards, once.
//!
//! Writers order by HTTP at a steady pace, each order under a key, and send it again, elsewhere,
//! until it is acknowledged. The time counts from the signal to the first acknowledgement of an
//! order that was sent after it.

mod bars;
mod client;
mod incident;
mod ledger;
mod phase;
mod writers;

use anyhow::Result;

use self::incident::Incident;
use self::phase::{WRITERS, run_phase};
use crate::harness::{Options, Report, busy, progress};

/// Runs the benchmark.
pub(crate) fn run(options: &Options) -> Result<()> {
    options.ensure_whole()?;
    let before = busy()?;
    let plan = [
        (Incident::Kill, options.pick(20, 100)),
        (Incident::Stop, options.pick(5, 20)),
        (Incident::Drain, options.pick(5, 20)),
    ];
    let bar = progress(plan.iter().map(|(_, times)| *times as u64).sum());
    let mut phases = Vec::new();
    for (incident, times) in plan {
        bar.set_message(incident.case());
        phases.push(run_phase(incident, times, || bar.inc(1))?);
    }
    bar.finish_and_clear();
    let mut notes = vec![
        format!(
            "Election after 150 ms, heartbeat 50 ms; {WRITERS} writers by HTTP, 500 orders a \
             second, each sent again under its key until it is acknowledged."
        ),
        "kill, stop: from SIGKILL or SIGSTOP of the leader to the first acknowledgement of an \
         order sent after it. drain: the longest time without an acknowledgement from SIGTERM of \
         the leader to its end."
            .to_owned(),
        "lost, doubled: all orders read back on all three nodes after the last incident of a case."
            .to_owned(),
    ];
    notes.extend(phases.iter().map(|phase| format!("{}: {}", phase.row.case, phase.failures)));
    notes.push(before);
    let bars = phases.iter().flat_map(bars::of).collect();
    let rows = phases.into_iter().map(|phase| phase.row).collect();
    Report { bench: "failover", payload_bytes: None, rows, bars, notes }.publish()
}
