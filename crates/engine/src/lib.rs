//! The replicated state machine of Catga: it reads the log on every node and decides, the same
//! everywhere, which effects count.
//!
//! It is plain and synchronous. It has no clock (time comes with each entry), does no I/O, draws
//! nothing at random, decodes no payload, runs no user code, and never iterates a hash map.
//!
//! Read in this order: [`Entry`] and [`Effect`] go in, [`Verdict`] comes out; [`State`] holds the
//! heads that conditions are checked against; [`Engine`] decides; `checkpoint` writes it down.

mod effect;
mod entry;
mod verdict;

mod chunked;
mod hashing;
mod memory;
mod sharded;
mod state;

mod keys;
mod limits;
mod remembered;
mod session;
mod sessions;

mod condition;
mod engine;
mod rolling;

mod checkpoint;
mod codec;

pub use checkpoint::RestoreError;
pub use effect::{Directive, Effect, OutsideKey, RecordWrite, RecordedAnswer, Trail};
pub use engine::{ApplyError, ENGINE_VERSION, Engine, FIRST_ENGINE_VERSION};
pub use entry::{DecodeEntryError, Entry, MAX_ENTRY_BYTES, MAX_ENTRY_EFFECTS};
pub use limits::Limits;
pub use memory::MemoryState;
pub use remembered::{Remembered, RememberedKeys};
pub use sessions::SessionInfo;
pub use state::{RecordHead, State, StreamHead};
pub use verdict::{Applied, Lookup, Rejection, Verdict};
