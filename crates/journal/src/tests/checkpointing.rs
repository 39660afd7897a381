//! When a replica on disk makes checkpoints by itself.

use std::sync::Arc;
use std::time::Duration;

use catga_core::{FaultCode, SessionId};
use catga_host::Host;
use catga_testkit::VirtualHost;

use super::replica::options;
use super::scripted::scripted_on;
use crate::conformance::effects::{append, open_session};
use crate::{CheckpointPace, DiskOptions, Journal, verify_history};

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

#[test]
fn without_its_history_a_replica_says_what_is_lost_and_what_to_do() {
    catga_testkit::run(1, async |host: Arc<VirtualHost>| {
        let open = async |is_mended: bool| {
            let disk = DiskOptions::new(host.files(), "/data".into());
            let disk = if is_mended { disk.with_mending() } else { disk };
            let options = options().with_incarnation(7).with_disk(disk);
            scripted_on(host.clone() as Arc<dyn Host>, options).await
        };
        let replica = open(false).await.expect("a new disk");
        open_session(&*replica, 1).await.expect("a session");
        replica.log().checkpoint().await.expect("a checkpoint");
        drop(replica);
        let file = "/data/history/0000000000000001.history";
        host.files().remove(file.as_ref()).expect("it is there");
        let fault = open(false).await.expect_err("it is lost");
        let told = fault.message();
        assert_eq!(fault.code(), FaultCode::Unreadable, "{fault}");
        assert!(told.contains(file) && told.ends_with("restore this node from a backup"), "{told}");
        // Who has peers gets it from them.
        open(true).await.expect("they have it");
    });
}

#[test]
fn a_report_counts_in_words_and_names_a_file_once() {
    catga_testkit::run(1, async |host: Arc<VirtualHost>| {
        let disk = DiskOptions::new(host.files(), "/data".into());
        let options = options().with_incarnation(7).with_disk(disk);
        let replica =
            scripted_on(host.clone() as Arc<dyn Host>, options).await.expect("a new disk");
        open_session(&*replica, 1).await.expect("a session");
        replica.commit(append(SessionId(1), 1, "a")).await.expect("it counts");
        replica.log().checkpoint().await.expect("a checkpoint");
        let said = || {
            let reports = verify_history(&host.files(), "/data".as_ref());
            reports.into_iter().map(|report| report.found).collect::<Vec<_>>()
        };
        let reports = said();
        assert!(reports.iter().all(Result::is_ok), "{reports:?}");
        let ends =
            |what: &str| reports.iter().flatten().filter(|found| found.ends_with(what)).count();
        assert_eq!((ends(", 1 table"), ends(", 1 block")), (1, 1), "{reports:?}");
        assert_eq!(ends("2 records, offsets 1 to 2"), 1, "{reports:?}");
        host.disk().flip_bit("/data/history/0000000000000001.history", 99).expect("there");
        let damaged: Vec<_> = said().into_iter().filter_map(Result::err).collect();
        assert_eq!(damaged.len(), 1, "{damaged:?}");
        assert!(damaged[0].starts_with("is damaged at byte "), "{damaged:?}");
    });
}
