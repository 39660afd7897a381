use std::sync::Arc;

use catga_host::Host;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// The time by which certificates are valid: the host's.
#[derive(Debug)]
pub(super) struct Clock(pub(super) Arc<dyn Host>);

impl Clock {
    pub(super) fn now(&self) -> UnixTime {
        UnixTime::since_unix_epoch(std::time::Duration::from_millis(self.0.wall_ms()))
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.now())
    }
}
