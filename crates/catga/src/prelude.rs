//! What a program names: `use catga::prelude::*;`.

#[cfg(feature = "cluster")]
pub use crate::OnDisk;
pub use crate::{
    Answer, CallOptions, Catga, Client, Command, Delivery, DomainError, Event, EventMeta, Failure,
    Fault, FieldFaults, Id, NoError, Node, Query, Tag, Timestamp, Tx, Uuid, View, aggregate,
    contract, projection, service,
};
pub use serde::{Deserialize, Serialize};
