//! Commands, queries and ephemeral events in one process: nothing is recorded.
//!
//! Every subject runs the same work, [`work`], behind its own way of finding a handler; `direct`
//! calls it. One operation of a case `-x100` is a hundred calls, and of `-x10` ten.

mod bars;
mod cases;
mod catga;
mod direct;
mod mediator;
mod messages;
mod peers;
mod work;

use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

use self::cases::{Batch, CASES, batches};
use crate::harness::{Figures, Lane, Options, Report, take_turns};

/// How many calls a batch makes at least: one entry into the runtime is nothing beside them.
const BATCH_CALLS: u64 = 1000;

/// One subject: its cases, in the order of [`CASES`].
struct Subject {
    name: &'static str,
    settings: &'static str,
    batches: Vec<Option<Batch>>,
}

/// Runs the benchmark.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = Rc::new(Builder::new_current_thread().enable_all().build()?);
    let lanes = lanes(options, subjects(&runtime)?);
    let rows = take_turns(options, options.pick(3, 5), lanes)?;
    let bars = bars::of(&rows);
    let report = Report {
        bench: "local",
        payload_bytes: None,
        rows,
        bars,
        notes: vec![
            "One operation of a case -x100 is a hundred calls, of -x10 ten; one thread.".to_owned(),
            "medi-rs hands events to a queue and a worker; the others call in place.".to_owned(),
            "mediator and noon are given their synchronous handlers, which are faster.".to_owned(),
        ],
    };
    report.publish()
}

fn subjects(runtime: &Rc<Runtime>) -> Result<Vec<Subject>> {
    let subject = |name, settings, batches| Subject { name, settings, batches };
    let _context = runtime.enter();
    Ok(vec![
        subject("catga", "", batches(runtime, catga::start(runtime)?)),
        subject("direct", "", batches(runtime, direct::Direct)),
        subject("mediator", "0.2.2", batches(runtime, peers::mediator::start())),
        subject("mediator-rs", "0.1.5", batches(runtime, peers::mediator_rs::start())),
        subject("medi-rs", "3.2.0", batches(runtime, peers::medi_rs::start()?)),
        subject("noon", "0.1.1", batches(runtime, peers::noon::start())),
        subject("hexeract", "0.6.0", batches(runtime, peers::hexeract::start()?)),
    ])
}

/// One lane for each case of each subject, the lanes of one case together.
fn lanes(options: &Options, mut subjects: Vec<Subject>) -> Vec<Lane<'static>> {
    let time = Duration::from_millis(options.pick(40, 200));
    let mut lanes = Vec::new();
    for (place, case) in CASES.iter().enumerate() {
        for subject in &mut subjects {
            let Some(mut batch) = subject.batches[place].take() else {
                continue;
            };
            let ops = BATCH_CALLS / case.calls;
            lanes.push(Lane {
                case: case.name.to_owned(),
                subject: subject.name,
                settings: subject.settings,
                clients: None,
                round: Box::new(move || Ok(round(&mut batch, ops, time))),
            });
        }
    }
    lanes
}

/// Runs batches of `ops` operations for `time`; the median batch counts, since whatever else the
/// machine does only ever adds to some of them.
fn round(batch: &mut Batch, ops: u64, time: Duration) -> Figures {
    batch(ops, false);
    let allocated = batch(ops, true).allocated;
    let (mut total, mut took) = (Duration::ZERO, Vec::new());
    while total < time {
        let measured = batch(ops, false).took;
        total += measured;
        took.push(measured);
    }
    took.sort_unstable();
    let ns_per_op = took[took.len() / 2].as_nanos() as f64 / ops as f64;
    Figures {
        ns_per_op: Some(ns_per_op),
        ops_per_s: Some(1e9 / ns_per_op),
        allocs_per_op: Some(allocated.count as f64 / ops as f64),
        bytes_per_op: Some(allocated.bytes as f64 / ops as f64),
        ..Figures::default()
    }
}
