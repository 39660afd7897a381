use std::sync::Arc;

use catga_host::{Deadlines, Host};

use super::LinkOptions;

/// What every part of the links stands on.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) host: Arc<dyn Host>,
    pub(super) options: LinkOptions,
    /// Of the calls: nearly all of them end before theirs.
    pub(super) deadlines: Arc<Deadlines>,
}
