//! When a replica on disk makes checkpoints by itself.

use std::sync::Arc;
use std::time::Duration;

use catga_host::Host;
use catga_testkit::VirtualHost;

use super::replica::options;
use super::scripted::scripted_on;
use crate::conformance::effects::open_session;
use crate::{CheckpointPace, DiskOptions};

/// A log that has not heard yet of what was applied makes none. Were it asked again at once, nobody
/// else would get to do anything, and on one thread it would never hear of it.
#[test]
fn a_log_that_makes_no_checkpoint_is_not_asked_all_the_time() {
    catga_testkit::run(1, async |host: Arc<VirtualHost>| {
        let mut pace = CheckpointPace::default();
        (pace.bytes, pace.interval) = (1, Duration::ZERO);
        let disk = DiskOptions::new(host.files(), "/data".into()).with_pace(pace);
        let options = options().with_incarnation(7).with_disk(disk);
        let replica =
            scripted_on(host.clone() as Arc<dyn Host>, options).await.expect("a new disk");
        open_session(&*replica, 1).await.expect("a session");
        // What is due is never made, and time passes all the same.
        host.advance(Duration::from_secs(1)).await;
    });
}
