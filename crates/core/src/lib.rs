//! The vocabulary of Catga: messages, handlers, transactions, layers, faults and ids.
//!
//! This crate knows no runtime, no format and no I/O. Programs name it through the facade crate
//! `catga`; adapters and tools may depend on it alone.
//!
//! Read in this order: [`Message`] and its kinds, [`Handle`] and [`Answer`], [`Tx`] and
//! [`Loaded`], [`Aggregate`], [`Projection`] and [`View`], [`Subscriber`], [`Layer`],
//! [`Service`], and last the [`Registry`] that dispatches without allocating.

mod id;
mod position;

mod contract;
mod encoded;
mod format;
mod message;
mod stream;

mod answer;
mod check;
mod fault;

mod aggregate;
mod effect;
mod event;
mod projection;
mod tx;

mod context;
mod handle;
mod layer;
mod service;
mod subscriber;

mod dispatch;
mod guarded;
mod lazy;
mod panics;
mod registry;
mod slot;

pub use aggregate::{Aggregate, FoldError, Folds};
pub use answer::{Answer, DomainError, Failure, NoError, RefusalKind};
pub use check::{FieldFault, FieldFaults};
pub use context::{Context, Envelope, TraceContext};
pub use contract::{Contract, ContractList, Offers};
pub use dispatch::{
    Dispatch, NO_CONTEXT, PlainDispatch, Replied, Report, check, deliver_recorded, handler_panicked,
};
pub use effect::{AttemptId, Condition, NewEvent};
pub use encoded::encoded;
pub use event::{EventMeta, RecordedEvent};
pub use fault::{Fault, FaultCode, FaultKind, Outcome};
pub use format::{DecodeError, EncodeError, Format, Wire};
pub use handle::{Durable, Handle, Plain, Scope, ScopeFor};
pub use id::{
    MessageId, NodeName, ParseTimestampError, SessionId, Timestamp, derive_uuid, payload_hash,
};
pub use layer::{Call, Class, Identity, Layer, Settled, Stack};
pub use message::{
    Command, CommandKind, Event, Kind, Message, Query, QueryKind, ReadLevel, Request, StreamEvent,
};
pub use panics::{CatchPanic, panic_message};
pub use position::{Offset, ParsePositionError, Position};
pub use projection::{Checkpointed, Projection, Quarantined, View, ViewCell};
pub use registry::{Registry, TypeMap};
pub use service::{Registrar, Service};
pub use slot::{IN_PLACE_BYTES, Slot};
pub use stream::{Stream, StreamKey, StreamName, Tag};
pub use subscriber::{Delivery, Each, OnFailure, StartFrom, Subscriber, SubscriberError};
pub use tx::{Loaded, Source, Staged, StreamSlice, Tx};
