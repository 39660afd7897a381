//! The log on segment files, and openraft's own suite over it and over the simulated store.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catga_cluster::{
    LogId, LogStorage, Machine, SnapshotFiles, StorageError, StorageOptions, TypeConfig, Vote,
    verify_log,
};
use catga_host::{Disk as RealDisk, Files, Host, Open, TokioHost};
use catga_journal::conformance::Recorder;
use openraft::alias::EntryOf;
use openraft::storage::{IOFlushed, RaftLogStorage, RaftLogStorageExt};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, RaftLogReader, StorageError as OpenraftError};
use tempfile::TempDir;

use support::host::SimHost;
use support::{Disk, MemoryStore, simulate};

struct InMemory;

impl StoreBuilder<TypeConfig, MemoryStore, Machine> for InMemory {
    async fn build(&self) -> Result<((), MemoryStore, Machine), OpenraftError<TypeConfig>> {
        let disk = Disk::new(1);
        let applier = Box::new(Recorder::default().applier(0));
        let host: Arc<dyn Host> = Arc::new(SimHost::new(1));
        let machine = Machine::new(&host, applier, Arc::new(disk.clone()));
        Ok(((), MemoryStore::new(disk), machine))
    }
}

#[test]
fn the_simulated_store_is_as_openraft_wants_it() {
    simulate(1, Suite::test_all(InMemory)).expect("the suite passes");
}

struct OnDisk;

impl StoreBuilder<TypeConfig, LogStorage, Machine, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, LogStorage, Machine), OpenraftError<TypeConfig>> {
        let dir = tempfile::tempdir().expect("a directory");
        let host: Arc<dyn Host> = Arc::new(TokioHost::current());
        let storage = open(dir.path()).await.expect("an empty log");
        let (files, at) = (host.files(), dir.path().to_owned());
        let snapshots =
            SnapshotFiles::open(&host, files, at, None, None).expect("an empty directory");
        let applier = Box::new(Recorder::default().applier(0));
        let machine = Machine::new(&host, applier, Arc::new(snapshots));
        Ok((dir, storage, machine))
    }
}

#[test]
fn segment_files_are_as_openraft_wants_them() {
    simulate(1, Suite::test_all(OnDisk)).expect("the suite passes");
}

/// Small, so that a few entries fill many segments, and none stays in memory.
fn small() -> StorageOptions {
    let mut options = StorageOptions::default();
    (options.segment_bytes, options.cached_bytes) = (4096, 0);
    options
}

async fn open(dir: &Path) -> Result<LogStorage, StorageError> {
    let host: Arc<dyn Host> = Arc::new(TokioHost::current());
    LogStorage::open(&host, host.files(), &dir.join("log"), small()).await
}

fn id(term: u64, index: u64) -> LogId {
    let leader = openraft::alias::LeaderIdOf::<TypeConfig>::new(term, 1);
    LogId::new(leader.to_committed(), index)
}

fn entry(term: u64, index: u64) -> EntryOf<TypeConfig> {
    let bytes = vec![index as u8; (index * 37 % 400) as usize];
    let payload = EntryPayload::Normal(catga_cluster::Entry(bytes.into()));
    EntryOf::<TypeConfig> { log_id: id(term, index), payload }
}

async fn append(storage: &mut LogStorage, term: u64, indexes: std::ops::Range<u64>) {
    let entries: Vec<_> = indexes.map(|index| entry(term, index)).collect();
    storage.blocking_append(entries).await.expect("durable");
}

async fn terms(storage: &mut LogStorage) -> Vec<(u64, u64)> {
    let entries = storage.try_get_log_entries(..).await.expect("readable");
    for found in &entries {
        let (term, index) = (found.log_id.leader_id.term, found.log_id.index);
        assert_eq!(format!("{:?}", found.payload), format!("{:?}", entry(term, index).payload));
    }
    entries.iter().map(|found| (found.log_id.leader_id.term, found.log_id.index)).collect()
}

fn run(test: impl AsyncFnOnce(&Path)) {
    let dir = tempfile::tempdir().expect("a directory");
    simulate(1, async { test(dir.path()).await });
}

#[test]
fn what_was_flushed_is_there_after_a_restart() {
    run(async |dir| {
        let mut storage = open(dir).await.expect("an empty log");
        append(&mut storage, 1, 0..100).await;
        storage.save_vote(&Vote::new_committed(1, 1)).await.expect("durable");
        storage.truncate_after(Some(id(1, 79))).await.expect("queued");
        append(&mut storage, 2, 80..90).await;
        storage.purge(id(1, 49)).await.expect("queued");
        storage.save_vote(&Vote::new(3, 1)).await.expect("durable");
        let expected: Vec<_> =
            (50..80).map(|index| (1, index)).chain((80..90).map(|index| (2, index))).collect();
        assert_eq!(terms(&mut storage).await, expected);
        for orderly in [false, true, true] {
            if orderly {
                storage.shutdown().await;
            }
            drop(storage);
            storage = open(dir).await.expect("the same log");
            assert_eq!(terms(&mut storage).await, expected, "orderly: {orderly}");
            assert_eq!(storage.read_vote().await.expect("readable"), Some(Vote::new(3, 1)));
            let state = storage.get_log_state().await.expect("readable");
            assert_eq!(state.last_purged_log_id, Some(id(1, 49)));
            assert_eq!(state.last_log_id, Some(id(2, 89)));
        }
        let names = RealDisk.list(&dir.join("log")).expect("names");
        assert!(!names.contains(&"0000000000000001.log".to_owned()), "purged: {names:?}");
        append(&mut storage, 3, 90..91).await;
        assert!(storage.limited_get_log_entries(49, 51).await.is_err(), "49 is purged");
        assert!(storage.limited_get_log_entries(89, 92).await.is_err(), "91 is not there");
    });
}

/// What was handed over and does not fit waits, and all that comes behind it, for room or the end.
#[test]
fn what_was_taken_over_waits_for_room() {
    for freed in [true, false] {
        catga_testkit::run(1, async |test| {
            let host: Arc<dyn Host> = test.clone();
            let dir = Path::new("/log");
            let opened = LogStorage::open(&host, host.files(), dir, small()).await;
            let mut storage = opened.expect("an empty log");
            append(&mut storage, 1, 0..10).await;
            test.disk().set_capacity(test.disk().used_bytes());
            let mut waits = storage.clone();
            let wait = async move {
                let entries: Vec<_> = (10..100).map(|index| entry(1, index)).collect();
                waits.blocking_append(entries).await?;
                waits.save_vote(&Vote::new(3, 1)).await
            };
            let mut wait = std::pin::pin!(wait);
            let long = tokio::time::timeout(Duration::from_secs(60), &mut wait).await;
            assert!(long.is_err(), "it did not wait: {long:?}");
            assert!(storage.is_full());
            if freed {
                test.disk().set_capacity(1 << 30);
                wait.await.expect("there is room");
                let expected: Vec<_> = (0..100).map(|index| (1, index)).collect();
                storage.shutdown().await;
                drop(storage);
                let opened = LogStorage::open(&host, host.files(), dir, small()).await;
                let mut storage = opened.expect("the same log");
                assert_eq!(terms(&mut storage).await, expected);
                assert_eq!(storage.read_vote().await.expect("readable"), Some(Vote::new(3, 1)));
            } else {
                storage.stop_waiting();
                let refused = wait.await.expect_err("there is no room").to_string();
                assert!(refused.contains("space") || refused.contains("full"), "{refused}");
                storage.shutdown().await;
            }
        });
    }
}

fn flip(path: &Path, at: u64) {
    let file = RealDisk.open(path, Open::Write).expect("a file");
    let mut byte = [0];
    file.read_at(&mut byte, at).expect("there");
    file.write_at(&[byte[0] ^ 8], at).expect("written");
}

#[test]
fn a_flipped_bit_is_named_and_nothing_is_changed() {
    run(async |dir| {
        let mut storage = open(dir).await.expect("an empty log");
        append(&mut storage, 1, 0..60).await;
        storage.shutdown().await;
        drop(storage);
        let log = dir.join("log");
        let names = RealDisk.list(&log).expect("names");
        let mut refused = BTreeSet::new();
        for name in &names {
            let path = log.join(name);
            let before = std::fs::read(&path).expect("a file");
            if before[64..].iter().all(|byte| *byte == 0) {
                // Made ready and not used: there is nothing in it that could be lost.
                continue;
            }
            // In the last record, before the mark or the seal; in the middle; in the head.
            let end = before.iter().rposition(|byte| *byte != 0).expect("a head") as u64;
            for at in [end.saturating_sub(60).max(20), 200.min(end), 20] {
                flip(&path, at);
                let error = match open(dir).await {
                    Ok(_) => panic!("{name} was taken with byte {at} changed"),
                    Err(error) => error.to_string(),
                };
                assert!(error.contains(name.as_str()), "{error}");
                let reports = verify_log(&RealDisk, &log);
                let bad: Vec<_> = reports.iter().filter(|report| report.found.is_err()).collect();
                assert!(bad.iter().any(|report| report.path == path), "{bad:?}");
                flip(&path, at);
                assert_eq!(std::fs::read(&path).expect("a file"), before);
                refused.insert(name.clone());
            }
        }
        assert!(refused.len() > 3, "several segments: {refused:?}");
        let mut storage = open(dir).await.expect("whole again");
        assert_eq!(terms(&mut storage).await.len(), 60);
    });
}

#[test]
fn a_torn_tail_is_cut_and_nothing_of_it_comes_back() {
    run(async |dir| {
        let mut storage = open(dir).await.expect("an empty log");
        append(&mut storage, 1, 0..3).await;
        storage.shutdown().await;
        drop(storage);
        let path = dir.join("log/0000000000000001.log");
        let whole = std::fs::read(&path).expect("a file");
        let end = whole.iter().rposition(|byte| *byte != 0).expect("a head") + 1;
        // Half of a record that nobody was told of.
        let file = RealDisk.open(&path, Open::Write).expect("a file");
        file.write_at(&[7; 100], end.next_multiple_of(8) as u64).expect("written");
        let mut storage = open(dir).await.expect("the tail is cut");
        assert_eq!(terms(&mut storage).await.len(), 3);
        append(&mut storage, 1, 3..5).await;
        drop(storage);
        let mut storage = open(dir).await.expect("the same log");
        assert_eq!(terms(&mut storage).await.len(), 5);
    });
}

#[test]
fn a_missing_segment_is_named() {
    run(async |dir| {
        let mut storage = open(dir).await.expect("an empty log");
        append(&mut storage, 1, 0..60).await;
        storage.shutdown().await;
        drop(storage);
        std::fs::remove_file(dir.join("log/0000000000000002.log")).expect("removed");
        let error = open(dir).await.expect_err("a hole").to_string();
        assert!(error.contains("0000000000000003.log"), "{error}");
    });
}

#[test]
fn an_append_out_of_order_is_refused() {
    run(async |dir| {
        let mut storage = open(dir).await.expect("an empty log");
        append(&mut storage, 1, 0..3).await;
        let hole = storage.append([entry(1, 5)], IOFlushed::<TypeConfig>::noop()).await;
        assert!(hole.is_err());
    });
}
