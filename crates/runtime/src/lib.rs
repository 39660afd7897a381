//! A node: it wires services to a journal, dispatches messages to their handlers, folds
//! projections, runs subscribers, and stops in order.
//!
//! [`Builder`] collects what a program is made of and reports everything that does not fit at
//! once; [`Node`] is the running program.
//!
//! This crate knows no backend: it sees a [`Journal`](catga_journal::Journal) that a [`Backend`]
//! opened. It knows no HTTP either.

mod limits;
mod options;
mod start_error;

mod backend;
mod backup;
mod builder;
mod certificate;
mod lifecycle;
mod membership;
mod node;
mod open_listener;
mod own_node;
mod peers;
mod wiring;

mod asking;
mod client;
mod sending;
mod sent;

mod commit;
mod durable;
mod flights;
mod forward;
mod session;
mod views;

mod projector;
mod subscription;
mod view_store;

mod metrics;
mod status;

pub use asking::Asking;
pub use backend::{Backend, Memory, Parts};
pub use builder::Builder;
pub use catga_journal::{Backup, BackupError, Backups};
pub use certificate::CertificateStatus;
pub use client::Client;
pub use limits::Limits;
pub use membership::{MembershipChange, MembershipError};
pub use node::Node;
pub use open_listener::OpenListener;
pub use options::CallOptions;
pub use own_node::OwnNode;
pub use peers::{PeerCalls, PeerError, PeerRequests};
pub use sending::Sending;
pub use start_error::{StartError, StartFault};
pub use status::{
    ClusterStatus, ClusterView, Health, MemberState, MemberStatus, NodeState, ProjectionStatus,
    SubscriberState, SubscriberStatus,
};
pub use subscription::DeadLetter;
pub use view_store::ViewStore;
pub use wiring::Wiring;
