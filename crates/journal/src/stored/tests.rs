use std::path::{Path, PathBuf};
use std::sync::Arc;

use catga_core::{Fault, Offset, SessionId};
use catga_host::{Disk, Files, Open};
use tempfile::TempDir;

use super::{DumpedEffect, dump_history, verify_history};
use crate::conformance::effects::open_session;
use crate::conformance::{Random, read_all};
use crate::tests::random_effects::random_effect;
use crate::tests::replica::options;
use crate::tests::scripted::{Scripted, scripted};
use crate::tests::snapshots::seen;
use crate::{Delivered, DiskOptions, FileReport, Replica};

struct Rig {
    dir: TempDir,
    files: Arc<dyn Files>,
    random: Random,
    /// Every entry so far.
    entries: Vec<Delivered>,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { dir, files: Arc::new(Disk), random: Random::new(seed), entries: Vec::new() }
    }

    fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// The replica as of its last checkpoint.
    async fn open(&self) -> Arc<Replica<Scripted>> {
        let disk = DiskOptions::new(Arc::clone(&self.files), self.dir());
        scripted(options().with_incarnation(7).with_disk(disk)).await
    }

    /// The replica with every entry.
    async fn restart(&self) -> Arc<Replica<Scripted>> {
        let replica = self.open().await;
        let applied = replica.log().applied();
        let rest = self.entries.iter().filter(|entry| Some(entry.index) > applied);
        let rest: Vec<_> = rest.cloned().collect();
        replica.log().apply(&rest).expect("applied");
        replica
    }

    /// One in memory with the same entries.
    async fn model(&self) -> Arc<Replica<Scripted>> {
        let model = scripted(options().with_incarnation(7)).await;
        model.log().apply(&self.entries).expect("applied");
        model
    }

    async fn commit(&mut self, replica: &Replica<Scripted>, count: usize) {
        use crate::Journal;
        let before = replica.log().delivered().len();
        if self.entries.is_empty() {
            open_session(replica, 1).await.expect("a session");
        }
        for _ in 0..count {
            let effect = random_effect(&mut self.random, SessionId(1));
            replica.commit(effect).await.expect("a verdict");
        }
        self.entries.extend_from_slice(&replica.log().delivered()[before..]);
    }

    async fn check(&self, replica: &Replica<Scripted>) {
        assert_eq!(seen(replica).await, seen(&*self.model().await).await);
    }

    /// A replica that has two checkpoints and some entries more, and has ended.
    async fn ended(&mut self) {
        let replica = self.open().await;
        for _ in 0..2 {
            self.commit(&replica, 40).await;
            replica.log().checkpoint().await.expect("a checkpoint");
        }
        self.commit(&replica, 10).await;
    }

    fn paths(&self, dir: &str) -> Vec<PathBuf> {
        let dir = self.dir().join(dir);
        let names = Disk.list(&dir).expect("names").into_iter();
        names.map(|name| dir.join(name)).filter(|path| path.is_file()).collect()
    }

    fn damage(&self) -> Vec<FileReport> {
        let reports = verify_history(&self.files, self.dir.path()).into_iter();
        reports.filter(|report| report.found.is_err()).collect()
    }
}

fn flip(path: &Path, at: u64) {
    let file = Disk.open(path, Open::Write).expect("a file");
    let mut byte = [0];
    file.read_at(&mut byte, at).expect("there");
    file.write_at(&[byte[0] ^ 1], at).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_on_disk_shows_and_decides_what_one_in_memory_does() {
    for seed in 0..6 {
        let mut rig = Rig::new(seed);
        let mut replica = rig.open().await;
        for _ in 0..8 {
            let count = 1 + rig.random.below(30);
            rig.commit(&replica, count).await;
            match rig.random.below(4) {
                0 => replica = rig.restart().await,
                1 => {}
                _ => _ = replica.log().checkpoint().await.expect("a checkpoint"),
            }
            rig.check(&replica).await;
        }
        assert_eq!(rig.damage(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    for at in [5, 70, 100] {
        let mut rig = Rig::new(at);
        rig.ended().await;
        let newest = rig.paths("").pop().expect("a checkpoint");
        flip(&newest, at);
        let damage = rig.damage();
        assert!(damage.len() == 1 && damage[0].path == newest, "{damage:?}");
        let replica = rig.restart().await;
        rig.check(&replica).await;
        replica.log().checkpoint().await.expect("a checkpoint");
        rig.commit(&replica, 5).await;
        replica.log().checkpoint().await.expect("a checkpoint");
        rig.check(&*rig.restart().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_lost_or_damaged_is_made_anew_from_the_history() {
    for at in [None, Some(20), Some(100)] {
        let mut rig = Rig::new(1);
        rig.ended().await;
        for path in rig.paths("index") {
            match at {
                None => Disk.remove(&path).expect("removed"),
                Some(at) => flip(&path, at),
            }
        }
        assert!(!rig.damage().is_empty());
        // A block is only read where a key is looked for: the replica stops, and starts again.
        let replica = rig.open().await;
        let applied = replica.log().applied();
        let rest = rig.entries.iter().filter(|entry| Some(entry.index) > applied);
        let went_on = replica.log().apply(&rest.cloned().collect::<Vec<_>>());
        assert_eq!(went_on.is_err(), at == Some(100), "{went_on:?}");
        let replica = rig.restart().await;
        rig.check(&replica).await;
        replica.log().checkpoint().await.expect("a checkpoint");
        rig.commit(&replica, 30).await;
        replica.log().checkpoint().await.expect("a checkpoint");
        assert_eq!(rig.damage(), []);
        rig.check(&*rig.restart().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_see_the_whole_history_and_every_file_once() {
    let mut rig = Rig::new(2);
    let files = Arc::clone(&rig.files);
    assert_eq!(verify_history(&files, rig.dir.path()), []);
    assert!(dumped(&files, rig.dir.path()).expect("nothing").is_empty());
    rig.ended().await;
    let reports = verify_history(&files, rig.dir.path());
    let mut paths: Vec<_> = reports.iter().map(|report| report.path.clone()).collect();
    paths.sort();
    let mut expected = [rig.paths(""), rig.paths("history"), rig.paths("index")].concat();
    expected.sort();
    assert_eq!(paths, expected);
    assert!(reports.iter().all(|report| report.found.is_ok()), "{reports:?}");

    let replica = rig.open().await;
    let effects = dumped(&files, rig.dir.path()).expect("a checkpoint");
    let (last, _) = crate::Journal::rolling_hash(&*replica);
    assert!(effects.iter().map(|effect| effect.offset).eq((1..=last.0).map(Offset)));
    let events: Vec<_> = effects.into_iter().flat_map(|effect| effect.events).collect();
    assert_eq!(events, read_all(&*replica, 10).await.expect("events"));

    let history = rig.paths("history").pop().expect("a segment");
    flip(&history, 200);
    let damage = rig.damage();
    assert!(damage.len() == 1 && damage[0].path == history, "{damage:?}");
    let error = dumped(&files, rig.dir.path()).expect_err("its tail is damaged");
    assert!(error.to_string().contains(&history.display().to_string()), "{error}");
}

/// Everything that the checkpoint of a replica has, without its log.
fn dumped(files: &Arc<dyn Files>, dir: &Path) -> Result<Vec<DumpedEffect>, Fault> {
    let mut effects = Vec::new();
    let each = |effect| {
        effects.push(effect);
        true
    };
    dump_history(files, dir, 7, std::iter::empty(), each).map(|()| effects)
}
