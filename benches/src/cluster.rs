//! The order service on three nodes, beside other replicated stores on three: in the processes of
//! the leader and of a follower, and over HTTP.
//!
//! All subjects take turns for one number of clients, so that their ratios hold whatever else the
//! machine does meanwhile.

mod bars;
mod lanes;
mod over_http;
#[cfg(feature = "rivals")]
mod rivals;

use anyhow::Result;

use self::lanes::Stage;
use crate::harness::{Options, Report, busy, take_turns_by};
use crate::orders::PAYLOAD_BYTES;

/// How many clients write in the processes of the nodes.
const CLIENTS: [usize; 5] = [1, 16, 64, 256, 1024];

/// How many write over HTTP, and use the other stores.
const REMOTE: [usize; 4] = [1, 16, 64, 256];

/// How many write where the nodes meet by TLS.
const BY_TLS: usize = 64;

/// How many read.
const READERS: [usize; 2] = [1, 64];

const WRITE_LEADER: &str = "write/in-process-leader";
const WRITE_LEADER_TLS: &str = "write/in-process-leader-tls";
const WRITE_FOLLOWER: &str = "write/in-process-follower";
const WRITE_HTTP: &str = "write/http";
const READ_LOCAL: &str = "read/local";
const READ_LINEARIZABLE: &str = "read/linearizable";
const READ_HTTP: &str = "read/http";

/// Runs the benchmark.
pub(crate) fn run(options: &Options) -> Result<()> {
    let before = busy()?;
    let stage = Stage::set(options)?;
    let rounds = options.pick(3, 5);
    let rows = take_turns_by(options, rounds, stage.lanes(options), |a, b| a.clients == b.clients)?;
    let mut notes = vec![
        "Closed loop: each client goes on when it is answered. Catga's writes are whole commands, \
         acknowledged once they are on the disks of a majority and applied."
            .to_owned(),
        "etcd puts and JetStream publishes as many bytes, from clients of their own in another \
         process, to the node that leads; JetStream acknowledges before it has synced."
            .to_owned(),
    ];
    notes.extend(stage.missing().iter().cloned());
    notes.push(before);
    let mut report = Report {
        bench: "cluster",
        payload_bytes: Some(PAYLOAD_BYTES),
        rows,
        bars: Vec::new(),
        notes,
    };
    report.bars = bars::bars(&report);
    report.publish()
}
