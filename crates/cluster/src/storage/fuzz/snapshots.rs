use std::path::Path;
use std::sync::Arc;

use catga_fuzz::{Choices, write_checksums};
use catga_host::{Files, Host, Open};
use catga_journal::{LogIndex, LogSnapshot};
use catga_testkit::VirtualHost;
use catga_testkit::disk::SimDisk;
use openraft::SnapshotMeta;
use tokio::runtime::Builder;

use super::super::{SnapshotFiles, verify_snapshots};
use crate::records::id_of;
use crate::{Membership, Snapshot, SnapshotStore};

const DIR: &str = "/snapshots";
const HOLDS: Option<LogIndex> = Some(LogIndex { term: u64::MAX, index: u64::MAX });

async fn open(host: &Arc<dyn Host>, disk: &SimDisk) -> Result<Option<Snapshot>, String> {
    let opened = SnapshotFiles::open(host, Arc::new(disk.clone()), DIR.into(), HOLDS, None);
    match opened {
        Ok(store) => Ok(store.load().await.expect("it is in memory")),
        Err(error) => Err(error.to_string()),
    }
}

/// A snapshot that was changed on disk is passed over for the one before it, or named in an error.
#[test]
fn a_snapshot_on_disk_is_one_that_was_written() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let _within = runtime.enter();
    catga_fuzz::target!(1_000, 512, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (mends, changes_both) = (choices.flip(), choices.flip());
        let host = VirtualHost::new(1);
        let (disk, host) = (host.disk().clone(), host as Arc<dyn Host>);
        runtime.block_on(disk.create_dir(Path::new(DIR))).expect("made");
        let saved: Vec<Snapshot> = [3, 7]
            .map(|index| Snapshot {
                meta: SnapshotMeta {
                    last_log_id: Some(id_of(1, 1, index)),
                    last_membership: Membership::default(),
                },
                snapshot: LogSnapshot {
                    upto: choices.flip().then_some(LogIndex { term: 1, index }),
                    data: choices.bytes(60).to_vec().into(),
                },
            })
            .to_vec();
        runtime.block_on(async {
            let files = Arc::new(disk.clone());
            let store = SnapshotFiles::open(&host, files, DIR.into(), HOLDS, None).expect("opened");
            for snapshot in &saved {
                store.save(snapshot.clone()).await.expect("saved");
            }
        });
        let mut paths = disk.paths();
        paths.retain(|path| path.extension().is_some());
        assert_eq!(paths.len(), 2, "{paths:?}");
        let mut unchanged = 0;
        for path in &paths[usize::from(!changes_both)..] {
            let mut bytes = disk.contents(path).expect("it is there");
            let good = bytes.clone();
            choices.change(&mut bytes);
            unchanged += usize::from(bytes == good);
            if mends {
                write_checksums(&mut bytes);
            }
            let file = disk.open(path, Open::Write).expect("a file");
            file.set_len(0).expect("emptied");
            file.write_at(&bytes, 0).expect("written");
        }
        let read = runtime.block_on(open(&host, &disk));
        let reports = verify_snapshots(&disk, Path::new(DIR));
        assert_eq!(reports.len(), 2);
        match read {
            Ok(Some(read)) => {
                let is = |saved: &Snapshot| format!("{saved:?}") == format!("{read:?}");
                assert!(mends || saved.iter().any(is), "{read:?}");
            }
            Ok(None) => panic!("there are some"),
            Err(why) => {
                assert!(changes_both && unchanged == 0, "{why}");
                assert!(why.contains(DIR), "{why}");
            }
        }
    });
}
