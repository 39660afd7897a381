//! Commands, queries, events and projections, written once. The same program runs in one process,
//! and next on an embedded Raft cluster of its own nodes.
//!
//! ```
//! use catga::prelude::*;
//!
//! #[derive(Command, Serialize, Deserialize)]
//! #[command(name = "counter.add", reply = u64)]
//! struct Add {
//!     counter: String,
//!     amount: u64,
//! }
//!
//! #[derive(Event, Serialize, Deserialize)]
//! #[event(name = "counter.added", stream = Counter, key = counter)]
//! struct Added {
//!     counter: String,
//!     amount: u64,
//! }
//!
//! #[derive(Clone, Default)]
//! struct Counter(u64);
//!
//! #[aggregate(name = "counter")]
//! impl Counter {
//!     fn added(&mut self, event: &Added) {
//!         self.0 += event.amount;
//!     }
//! }
//!
//! struct Counters;
//!
//! #[service]
//! impl Counters {
//!     async fn add(&self, cmd: Add, tx: &mut Tx) -> Answer<u64> {
//!         let added = Added { counter: cmd.counter, amount: cmd.amount };
//!         Ok(match tx.load::<Counter>(&added.counter).await? {
//!             Some(mut counter) => {
//!                 counter.emit(added);
//!                 counter.into_state().0
//!             }
//!             None => {
//!                 tx.emit(added);
//!                 cmd.amount
//!             }
//!         })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> catga::Result<()> {
//! let node = Catga::builder().service(|_| Counters).start().await?;
//! let add = || Add { counter: "visits".into(), amount: 2 };
//! assert_eq!(node.send(add()).await, Ok(2));
//! assert_eq!(node.send(add()).key("once").await, Ok(4));
//! assert_eq!(node.send(add()).key("once").await, Ok(4), "the same key is the same command");
//! # Ok(())
//! # }
//! ```

mod catga;
#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "cluster")]
mod data_dir;
mod error;
mod formats;
#[cfg(all(doctest, feature = "http"))]
mod readme;

#[cfg(feature = "enrolment")]
pub mod enrolment;
pub mod prelude;
#[cfg(feature = "cluster")]
pub mod tools;

#[doc(hidden)]
pub mod __private;

pub use crate::catga::Catga;
#[cfg(feature = "cluster")]
pub use crate::cluster::{Cluster, EnvironmentError, InCluster};
#[cfg(feature = "cluster")]
pub use crate::data_dir::{DataDir, OnDisk};
pub use crate::error::{Error, Result};
#[cfg(feature = "json")]
pub use crate::formats::Json;
pub use crate::formats::MessagePack;
#[cfg(feature = "tls")]
pub use catga_cluster::{Tls, certificate_name};

pub use catga_core::{
    Aggregate, Answer, Call, Checkpointed, Class, Command, CommandKind, Condition, Context,
    Contract, ContractList, DecodeError, Delivery, DomainError, Durable, Each, EncodeError, Event,
    EventMeta, Failure, Fault, FaultCode, FaultKind, FieldFault, FieldFaults, FoldError, Folds,
    Format, Handle, Identity, Kind, Layer, Loaded, Message, MessageId, NoError, NodeName, Offers,
    Offset, OnFailure, Outcome, ParsePositionError, Plain, Position, Projection, Quarantined,
    Query, QueryKind, ReadLevel, RecordedEvent, RefusalKind, Registrar, Replied, Report, Request,
    Scope, Service, SessionId, Settled, Stack, StartFrom, Stream, StreamEvent, StreamKey,
    StreamName, Subscriber, SubscriberError, Tag, Timestamp, TraceContext, Tx, View, Wire,
};
#[cfg(feature = "cluster")]
pub use catga_engine::ENGINE_VERSION;
pub use catga_host as host;
#[cfg(feature = "http")]
pub use catga_http as http;
#[cfg(feature = "http")]
pub use catga_http::{Routes, serve};
pub use catga_journal as journal;
pub use catga_macros::{
    Command, DomainError, Event, Id, Query, aggregate, contract, projection, service,
};
pub use catga_runtime::{
    Asking, Backend, Backup, BackupError, Backups, Builder, CallOptions, CertificateStatus, Client,
    ClusterStatus, ClusterView, DeadLetter, Health, Limits, MemberState, MemberStatus,
    MembershipChange, MembershipError, Memory, Node, NodeState, OpenListener, OwnNode, Parts,
    PeerCalls, PeerError, PeerRequests, ProjectionStatus, Sending, StartError, StartFault,
    SubscriberState, SubscriberStatus, ViewStore, Wiring,
};
pub use uuid::Uuid;
