use std::collections::BTreeMap;

use catga::prelude::*;
use catga_testkit::VirtualHost;
use catga_testkit::network::SimNetwork;

use super::{Gauge, Measured};
use crate::tuning::Tuning;
use crate::unruly::FILLING_BYTES;

/// How many projections a node has, each with a task, and a file where it is saved.
const PROJECTIONS: u64 = 3;

/// A node and the machine that it runs on.
pub(crate) struct Ground<'a> {
    pub(crate) name: String,
    pub(crate) host: &'a VirtualHost,
    pub(crate) node: Node,
    pub(crate) tuning: &'a Tuning,
    /// How many others there are.
    pub(crate) peers: u64,
    /// What connects it with them, if there are any.
    pub(crate) network: Option<&'a SimNetwork>,
}

impl Ground<'_> {
    /// Everything that can be counted.
    pub(super) fn measure(&self) -> Measured {
        let mut measured = Measured::new();
        let mut add = |name: &str, count: u64, most: u64| {
            measured.insert(format!("{} {name}", self.name), Gauge { count, most });
        };
        let mut tasks = BTreeMap::<&str, u64>::new();
        for name in self.host.tasks() {
            *tasks.entry(name).or_default() += 1;
        }
        for (name, count) in tasks {
            add(&format!("tasks `{name}`"), count, self.tasks_most(name));
        }
        if let Some(network) = self.network {
            add("connections", network.connections(&self.name) as u64, 2 * self.peers);
        }
        let disk = self.host.disk();
        let mut files = BTreeMap::<String, u64>::new();
        for path in disk.paths() {
            let is_view = path.parent().is_some_and(|dir| dir.ends_with("views"));
            let end = path.extension().unwrap_or_default().to_string_lossy();
            let kind = if is_view { "view" } else { &*end };
            *files.entry(kind.to_owned()).or_default() += 1;
        }
        // None is open that has no name any more.
        add("open files", disk.open_files() as u64, files.values().sum());
        for (kind, count) in files {
            add(&format!("files `{kind}`"), count, self.files_most(&kind));
        }
        add("bytes on disk", disk.used_bytes(), u64::MAX);
        for held in self.node.held() {
            add(held.what, held.count as u64, self.held_most(held.what, held.most));
        }
        measured
    }

    /// How many tasks of a name a node has that does nothing; none of one that is not known.
    fn tasks_most(&self, name: &str) -> u64 {
        match name {
            "apply" | "belonging" | "checkpointer" | "deadlines" | "entrance"
            | "journal-batcher" | "journal-watch" | "link deadlines" | "log-flush" | "mending"
            | "raft" | "session" | "steward" | "subscriber" => 1,
            // Kept by who took one once.
            "snapshot-receive" => 1,
            "projection" => PROJECTIONS,
            // Each peer is dialled, and dials.
            "peer link" | "peer" => self.peers,
            _ => 0,
        }
    }

    /// How many files of a kind there are; none of one that is not known, such as parts of a
    /// snapshot that were not taken over.
    fn files_most(&self, kind: &str) -> u64 {
        match kind {
            // One is the newest, the other one may be sent to a peer.
            "checkpoint" | "snapshot" => 2,
            // One that was being written is left until it is written again, under its name.
            "view" => 2 * PROJECTIONS,
            // The identity, the charter and the lock.
            "" => 3,
            "log" => {
                let Tuning { segment_bytes, checkpoint_bytes, log_kept_bytes, .. } = self.tuning;
                // What is kept, and what has come since the checkpoint before the last. A segment
                // is half full at least; of both ends there is a part, and the next one is there
                // before it is needed.
                let bytes = log_kept_bytes + 2 * (*checkpoint_bytes).max(2 * FILLING_BYTES);
                2 * bytes as u64 / segment_bytes + 4
            }
            // As many as what has counted fills.
            "history" | "index" => u64::MAX,
            _ => 0,
        }
    }

    fn held_most(&self, what: &str, most: Option<usize>) -> u64 {
        // Each stands for an effect that has counted.
        let counted = self.node.position().offset.0;
        let most = most.map_or(counted, |most| (most as u64).min(counted));
        match what {
            // Its own address may be among them, as that of the member in whose place it came.
            "links" => 1 + self.peers,
            "connections of peers" => 2 * self.peers,
            "sessions" => 1 + self.peers,
            "ids" | "ids below marks" | "keys" => most,
            // Heartbeats.
            "requests asked" => 2 * self.peers,
            _ => 0,
        }
    }
}
