use catga_journal::planted::Planted;
use openraft::{Config, ConfigError, SnapshotPolicy, alias};

use crate::{Entry, Machine, Node, NodeId, Options, Rt};

openraft::declare_raft_types!(
    /// The types that openraft works with here.
    ///
    /// The answer to an entry is empty: its place in the log comes with it.
    pub TypeConfig:
        D = Entry,
        R = (),
        NodeId = NodeId,
        Node = Node,
        AsyncRuntime = Rt,
);

/// The running consensus of one node.
pub type Raft = openraft::Raft<TypeConfig, Machine>;

/// The place of an entry, with the node that led.
pub type LogId = alias::LogIdOf<TypeConfig>;

/// A vote, or the leadership that it became.
pub type Vote = alias::VoteOf<TypeConfig>;

/// Who belongs to the cluster, and the entry that says so.
pub type Membership = alias::StoredMembershipOf<TypeConfig>;

/// What openraft is told, from what a node is told.
pub(crate) fn raft_config(options: &Options) -> Result<Config, ConfigError> {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let election = millis(options.election_timeout);
    Config {
        cluster_name: "catga".to_owned(),
        heartbeat_interval: millis(options.heartbeat_interval),
        election_timeout_min: election,
        election_timeout_max: election.saturating_mul(2),
        // The storage bounds the bytes of an append; this bounds the table of its entries.
        max_payload_entries: 1024,
        // The time for one snapshot to make progress, not for all of it.
        install_snapshot_timeout: millis(options.snapshot_timeout),
        // A node that is cut off must not raise the term and depose a leader on its return.
        enable_pre_vote: Some(true),
        // A restarted leader must not go on in its old term: entries that it sent and then lost,
        // unflushed, may be committed elsewhere, and it would give their places to others.
        enable_leader_restore: Some(Planted::LeaderRestore.is_here()),
        // It would hide a log that lost what it had flushed.
        allow_log_reversion: Some(false),
        // How long a node that came back waits for entries; the default is ten times this.
        backoff: "20ms".to_owned(),
        // `Log::trim` alone decides what is dropped, and makes the snapshot that must precede it.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        ..Config::default()
    }
    .validate()
}
