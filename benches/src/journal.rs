//! The whole command of an order service: layers, handler, one event, its effect with id and reply,
//! aggregate and projection folded, and the answer once it can be read. In memory, and on disk.

mod durable;
pub(crate) mod load;
mod memory;

use anyhow::Result;

use crate::harness::{Options, Report, take_turns};
use crate::orders::PAYLOAD_BYTES;

const CLIENTS: [usize; 4] = [1, 16, 64, 256];

/// Runs the benchmark.
pub(crate) fn run(options: &Options) -> Result<()> {
    let rounds = options.pick(3, 5);
    let mut rows = take_turns(options, rounds, memory::lanes(options))?;
    let (record_bytes, lanes) = durable::lanes(options)?;
    rows.extend(take_turns(options, rounds, lanes)?);
    let mut bars = memory::bars(&rows);
    bars.extend(durable::bars(&rows));
    let report = Report {
        bench: "journal",
        payload_bytes: Some(PAYLOAD_BYTES),
        bars,
        rows,
        notes: vec![
            "Closed loop: each client sends its next command when it is answered.".to_owned(),
            "ns/op is processor time, of all threads and of the clients too; on disk it is time."
                .to_owned(),
            format!(
                "append-fdatasync appends {record_bytes} bytes an order, which is what the log \
                 takes for one, to a file that grows; as many orders at once as there are clients."
            ),
        ],
    };
    report.publish()
}
