//! What a program names: `use catga::prelude::*;`.

pub use crate::{
    Answer, CallOptions, Catga, Client, Command, Delivery, DomainError, Event, EventMeta, Failure,
    Fault, FieldFaults, Id, NoError, Node, Query, Tag, Timestamp, Tx, Uuid, View, aggregate,
    contract, projection, service,
};
#[cfg(feature = "cluster")]
pub use crate::{InCluster, OnDisk};
pub use serde::{Deserialize, Serialize};
