//! The log of a cluster: [`RaftLog`] is a [`Log`](catga_journal::Log) by Raft.
//!
//! openraft decides, [`Machine`] delivers what it decided to the applier, and this crate alone
//! names it. Where entries and snapshots are kept and how nodes reach each other is given when a
//! log is opened.
//!
//! This crate knows nothing of effects, messages or domains: it orders bytes.

mod config;
mod entry;
mod node;
mod records;
mod rt;
mod tasks;
mod watch;

mod applying;
mod batch;
mod machine;
mod snapshot;

mod answers;
mod ground;
mod hand_over;
mod options;
mod progress;
mod raft_log;
mod reads;
mod serving;
mod shipping;
mod starting;
mod storage;
mod succession;
mod tenure;
mod trimming;

mod alone;
mod belonging;
mod changing;
mod data_dir;
mod founding;
mod joining;
mod lacking;
mod link;
mod member;
mod mending;
mod network;
mod no_peers;
mod opening;
mod peers;
mod restoring;
mod room;
mod roster;
mod settled;
mod wire;

pub use alone::open_alone;
pub use changing::{Change, ChangeError};
pub use config::{LogId, Membership, Raft, TypeConfig, Vote};
pub use data_dir::{DataDir, DataDirError, Identity, Inspection};
pub use entry::Entry;
pub use founding::{Charter, Founding, FoundingError};
pub use ground::{Ground, Store};
pub use hand_over::HandedOver;
#[cfg(feature = "tls")]
pub use link::{
    Certificate, Credentials, Tls, TlsError, certificate_name, certificates_in, read_pem,
};
pub use link::{LinkOptions, LinkStats, Links, Protocol, Secret, SecretTooShort};
pub use machine::{Machine, View};
pub use member::{Member, MemberOptions};
pub use node::{Node, NodeId, StoreId};
pub use opening::DataOptions;
pub use options::Options;
pub use peers::{Address, CallError, LinkState, Peer, Peers, Recipient, Serve, Topic};
pub use progress::Progress;
pub use raft_log::{OpenError, RaftLog};
pub use restoring::{RestoreError, restore};
pub use roster::{MemberView, Standing};
pub use rt::Rt;
pub use snapshot::{Snapshot, SnapshotStore};
pub use storage::{
    LogStorage, SnapshotError, SnapshotFiles, StorageError, StorageOptions, verify_log,
};
pub use tasks::Tasks;
pub use watch::{FifoWatch, Receiver, Sender};
