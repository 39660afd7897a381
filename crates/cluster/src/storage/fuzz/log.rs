use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use catga_fuzz::{Choices, allocated, write_checksums};
use catga_host::{Files, Host, Open};
use catga_journal::{Delivered, LogIndex};
use catga_testkit::VirtualHost;
use catga_testkit::disk::SimDisk;
use openraft::EntryPayload;
use openraft::alias::EntryOf;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use tokio::runtime::{Builder, Runtime};

use super::super::{LogStorage, StorageOptions, read_entries, verify_log};
use crate::records::id_of;
use crate::{Entry, TypeConfig, Vote};

const DIR: &str = "/log";
const OPTIONS: StorageOptions = StorageOptions { segment_bytes: 2048, cached_bytes: 1 << 20 };

/// What is read of a file at once, and a little more.
const READ_BYTES: usize = 300 << 10;

/// A file and what it holds.
type Named = (String, Vec<u8>);

/// A log of several segments, with votes, entries that were taken back, and a purge.
async fn written(host: &Arc<dyn Host>, files: Arc<dyn Files>) -> Vec<Delivered> {
    let mut log = LogStorage::open(host, files, Path::new(DIR), OPTIONS).await.expect("opened");
    let entry = |term, index| {
        let payload = EntryPayload::Normal(Entry(vec![index as u8; 100].into()));
        EntryOf::<TypeConfig> { log_id: id_of(term, 1, index), payload }
    };
    log.save_vote(&Vote::new(1, 1)).await.expect("durable");
    log.blocking_append((0..12).map(|index| entry(1, index))).await.expect("durable");
    log.truncate_after(Some(id_of(1, 1, 8))).await.expect("queued");
    log.save_vote(&Vote::new_committed(2, 1)).await.expect("durable");
    for index in 9..40 {
        log.blocking_append([entry(2, index)]).await.expect("durable");
    }
    log.purge(id_of(1, 1, 5)).await.expect("queued");
    log.flushed().await.expect("durable");
    log.shutdown().await;
    let index = |index: u64| LogIndex { term: if index < 9 { 1 } else { 2 }, index };
    let delivered = |at: u64| Delivered { index: index(at), entry: vec![at as u8; 100].into() };
    (6..40).map(delivered).collect()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

fn put(runtime: &Runtime, files: &[Named]) -> SimDisk {
    let disk = SimDisk::new(1);
    runtime.block_on(disk.create_dir(Path::new(DIR))).expect("made");
    // One that is called as another takes its place.
    for (name, bytes) in files.iter().cloned().collect::<BTreeMap<_, _>>() {
        let file = disk.open(&Path::new(DIR).join(name), Open::Create).expect("a file");
        file.write_at(&bytes, 0).expect("written");
    }
    disk
}

/// Of a log whose files were changed without their checksums nothing else is read than was written once,
/// in order and without a gap, or an error says what is wrong. Nothing panics where the checksums were
/// written anew.
#[test]
fn a_log_on_disk_is_what_was_written_or_an_error() {
    let runtime = runtime();
    let _within = runtime.enter();
    let host = VirtualHost::new(1);
    let (disk, host) = (host.disk().clone(), host as Arc<dyn Host>);
    let expected = runtime.block_on(written(&host, Arc::new(disk.clone())));
    let name = |path: &Path| path.file_name().expect("a file").to_string_lossy().into_owned();
    let paths =
        disk.paths().into_iter().filter(|path| path.starts_with(DIR) && path != Path::new(DIR));
    let files: Vec<Named> =
        paths.map(|path| (name(&path), disk.contents(&path).expect("a file"))).collect();
    assert!(files.len() > 2, "{files:?}");
    let read = read_entries(&put(&runtime, &files), Path::new(DIR)).expect("it is whole");
    assert_eq!(read, expected);
    catga_fuzz::target!(800, 256, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (mends, mut changed) = (choices.flip(), files.clone());
        for _ in 0..=choices.below(2) {
            let at = choices.below(changed.len());
            match choices.byte() {
                0..4 => drop(changed.remove(at)),
                4..8 => changed[at].0 = format!("{:016x}.log", choices.below(9)),
                _ => choices.change(&mut changed[at].1),
            }
            if mends && let Some((_, bytes)) = changed.get_mut(at) {
                write_checksums(bytes);
            }
            if changed.is_empty() {
                break;
            }
        }
        let there = put(&runtime, &changed);
        let (read, took) = allocated(|| read_entries(&there, Path::new(DIR)));
        assert!(took.largest <= READ_BYTES, "{took:?}");
        let reports = verify_log(&there, Path::new(DIR));
        if let Ok(read) = &read
            && !mends
        {
            for Delivered { index: LogIndex { term, index }, entry } in read {
                // Two of term 1 were taken back, and others took their place.
                assert!(*term == 1 && *index < 12 || *term == 2 && *index > 8, "{term} {index}");
                assert_eq!(*entry, [*index as u8; 100].as_slice());
            }
            let follows = |pair: &[Delivered]| {
                let [one, next] = [0, 1].map(|at| pair[at].index);
                one.index + 1 == next.index && one.term <= next.term
            };
            assert!(read.windows(2).all(follows), "{read:?}");
            // The last file says that all below 6 was purged, and nothing else.
            let first = read.first().map(|first| first.index.index);
            let last = changed.iter().max_by_key(|(name, _)| name);
            assert!(last != files.last() || first.is_none_or(|first| first <= 6), "{first:?}");
        }
        assert!(read.is_ok() || reports.iter().any(|report| report.found.is_err()), "{read:?}");
        // What is opened goes on from there.
        let opened = LogStorage::open(&host, Arc::new(there.clone()), Path::new(DIR), OPTIONS);
        let opened = runtime.block_on(async {
            let log = opened.await;
            if let Ok(log) = &log {
                log.shutdown().await;
            }
            log.map(drop)
        });
        assert_eq!(opened.is_ok(), read.is_ok(), "{opened:?} {:?}", read.err());
        if let (Ok(()), Ok(read)) = (opened, read) {
            assert_eq!(read_entries(&there, Path::new(DIR)).expect("it was opened"), read);
        }
    });
}
