use std::path::{Path, PathBuf};
use std::sync::Arc;

use catga_core::SessionId;
use catga_fuzz::{Choices, allocated, write_checksums};
use catga_host::{Disk, Files, Open};
use catga_testkit::disk::SimDisk;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::super::{Checkpoints, dump_history, verify_history};
use crate::conformance::Random;
use crate::conformance::effects::open_session;
use crate::tests::random_effects::random_effect;
use crate::tests::replica::options;
use crate::tests::scripted::scripted;
use crate::{DiskOptions, Journal};

pub(super) const DIR: &str = "/journal";
pub(super) const INCARNATION: u64 = 7;

/// What is read of a file at once, and a little more.
const READ_BYTES: usize = 600 << 10;

/// A file below the directory and what it holds.
pub(super) type Named = (PathBuf, Vec<u8>);

/// The files of a replica that has two checkpoints: sealed segments, a tail and tables.
pub(super) fn files() -> Vec<Named> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let dir = tempfile::tempdir().expect("a directory");
    runtime.expect("a runtime").block_on(async {
        let disk = DiskOptions::new(Arc::new(Disk), dir.path().to_owned()).with_segment_bytes(4096);
        let replica = scripted(options().with_incarnation(INCARNATION).with_disk(disk)).await;
        open_session(&*replica, 1).await.expect("a session");
        let mut random = Random::new(1);
        for _ in 0..2 {
            for _ in 0..25 {
                let effect = random_effect(&mut random, SessionId(1));
                replica.commit(effect).await.expect("a verdict");
            }
            replica.log().checkpoint().await.expect("a checkpoint");
        }
    });
    let mut files = Vec::new();
    read_into(&dir, dir.path(), &mut files);
    files
}

fn read_into(root: &TempDir, dir: &Path, files: &mut Vec<Named>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_into(root, &path, files);
        } else {
            let name = path.strip_prefix(root.path()).expect("it is below").to_owned();
            files.push((name, std::fs::read(&path).expect("a file")));
        }
    }
    files.sort();
}

pub(super) fn put(runtime: &Runtime, files: &[Named]) -> Arc<dyn Files> {
    let disk = SimDisk::new(1);
    for dir in ["", "history", "index"] {
        runtime.block_on(disk.create_dir(&Path::new(DIR).join(dir))).expect("made");
    }
    for (name, bytes) in files {
        let file = disk.open(&Path::new(DIR).join(name), Open::Create).expect("a file");
        file.write_at(bytes, 0).expect("written");
    }
    Arc::new(disk)
}

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// Every effect as it is read, and why no more are.
fn dump(files: &Arc<dyn Files>) -> (Vec<String>, Option<String>) {
    let mut effects = Vec::new();
    let dumped = dump_history(files, Path::new(DIR), INCARNATION, [].into_iter(), |effect| {
        effects.push(format!("{effect:?}"));
        true
    });
    (effects, dumped.err().map(|fault| fault.to_string()))
}

/// Of a journal whose files were changed nothing else is read than was written, in order. Nothing
/// panics where the checksums were written anew, and what is opened then can be read.
#[test]
fn a_journal_on_disk_is_what_was_written_or_an_error() {
    let (good, runtime) = (files(), runtime());
    let (expected, error) = dump(&put(&runtime, &good));
    assert!(error.is_none() && expected.len() > 20, "{error:?} {}", expected.len());
    let total: usize = good.iter().map(|(_, bytes)| bytes.len()).sum();
    catga_fuzz::target!(300, 256, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (mends, mut changed) = (choices.flip(), good.clone());
        for _ in 0..=choices.below(2) {
            let at = choices.below(changed.len());
            if choices.byte() < 20 {
                changed.remove(at);
                continue;
            }
            choices.change(&mut changed[at].1);
            if mends {
                write_checksums(&mut changed[at].1);
            }
        }
        let there = put(&runtime, &changed);
        let ((read, error), took) = allocated(|| dump(&there));
        assert!(took.largest <= READ_BYTES + 4 * total, "{took:?} of {total}");
        assert!(mends || expected.starts_with(&read), "{read:?}");
        let damage = verify_history(&there, Path::new(DIR));
        let damage: Vec<_> = damage.into_iter().filter(|report| report.found.is_err()).collect();
        if let Some(error) = &error {
            assert!(mends || !damage.is_empty(), "{error}");
        }
        let checkpoints = Checkpoints::new(Arc::clone(&there), DIR.into());
        let opened = runtime.block_on(checkpoints.open());
        if let Ok(Some((checkpoint, stored))) = opened {
            assert!(mends || checkpoint.incarnation == INCARNATION);
            for record in stored.archive.records_after(catga_core::Offset::ZERO) {
                let Ok((offset, _)) = record else { break };
                let _ = stored.outcome(offset);
            }
        }
    });
}
