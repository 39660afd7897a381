use std::sync::Arc;

use catga_host::{Deadlines, Host};

use super::LinkOptions;

/// What every part of the links stands on.
#[derive(Debug)]
pub(super) struct Ground {
    /// Runs the links, and what handles the requests of Raft: on one thread with it, if the
    /// machine has such.
    pub(super) host: Arc<dyn Host>,
    /// Runs what handles the requests of the application.
    pub(super) application: Arc<dyn Host>,
    pub(super) options: LinkOptions,
    /// Of the calls: nearly all of them end before theirs.
    pub(super) deadlines: Arc<Deadlines>,
}
