use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use catga_host::{Disk, Files, Open};
use tempfile::TempDir;

use super::verify::verify;
use super::{Index, Options};
use crate::conformance::Random;
use crate::segment::SegmentError;
use crate::tests::full_disk::FullDisk;

/// Small, so that a few thousand keys have every kind of merge.
const OPTIONS: Options = Options { work_bytes: 20_000, work_times: 1, tier_bytes: 20_000 };

type Model = BTreeMap<Bytes, Option<Bytes>>;

struct Rig {
    dir: TempDir,
    files: Arc<dyn Files>,
}

impl Rig {
    fn new() -> Self {
        Self::on(Arc::new(Disk))
    }

    fn on(files: Arc<dyn Files>) -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), files }
    }

    fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    fn empty(&self) -> Index {
        let made = Index::with_options(Arc::clone(&self.files), self.dir(), OPTIONS);
        made.expect("a directory")
    }

    fn reopen(&self, index: &Index) -> Result<Index, SegmentError> {
        self.empty().holding(&index.tables())
    }

    fn damage(&self, index: &Index) -> Vec<String> {
        let reports = verify(Arc::clone(&self.files), self.dir(), &index.tables()).into_iter();
        reports.filter_map(|(_, found)| Some(found.err()?.to_string())).collect()
    }

    fn names(&self) -> Vec<String> {
        Disk.list(self.dir.path()).expect("names")
    }
}

fn key(number: usize) -> Bytes {
    Bytes::from(format!("order-{number}"))
}

fn batch(random: &mut Random, keys: usize, count: usize) -> Model {
    let mut change = || {
        let length = if random.below(500) == 0 { 40_000 } else { random.below(80) };
        let value = (random.below(4) > 0).then(|| Bytes::from(vec![random.next() as u8; length]));
        (key(random.below(keys)), value)
    };
    (0..count).map(|_| change()).collect()
}

async fn with(index: &Index, batch: &Model) -> Index {
    index.with(batch.clone().into_iter().collect()).await.expect("changed")
}

fn check(index: &Index, model: &Model, keys: usize) {
    for number in 0..keys {
        let expected = model.get(&key(number)).cloned().flatten();
        assert_eq!(index.get(&key(number)).expect("readable"), expected, "{number}");
    }
    assert_eq!(index.get(b"").expect("readable"), None);
    assert_eq!(index.get(b"zzz").expect("readable"), None);
}

#[tokio::test]
async fn an_index_has_what_a_map_has_over_merges_and_restarts() {
    const KEYS: usize = 3000;
    for seed in 0..2 {
        let (rig, mut random) = (Rig::new(), Random::new(seed));
        let (mut index, mut model) = (rig.empty(), Model::new());
        let mut sliced = false;
        for round in 0..60 {
            let count = 1 + random.below(400);
            let batch = batch(&mut random, KEYS, count);
            let (before, old) = (model.clone(), index.clone());
            model.extend(batch.clone());
            index = with(&old, &batch).await;
            let running = index.shared.take_running();
            sliced |= running.is_some();
            index.shared.set_running(running);
            index.remove_others(&index.tables()).expect("removed");
            assert!(rig.names().len() <= index.tables().len() + 1, "and one that is being made");
            if round % 15 == 14 {
                check(&index, &model, KEYS);
                check(&old, &before, KEYS);
                assert_eq!(rig.damage(&index), [""; 0]);
            }
            if random.below(8) == 0 {
                index = rig.reopen(&index).expect("opened");
                index.remove_others(&index.tables()).expect("removed");
                assert_eq!(rig.names().len(), index.tables().len());
            }
        }
        check(&index, &model, KEYS);
        assert!(sliced, "seed {seed}: no merge took more than one change");
        assert!(index.tables().len() <= 12, "seed {seed}: {} tables", index.tables().len());
    }
}

#[tokio::test]
async fn tables_stay_few_and_keys_are_seldom_written_again() {
    let rig = Rig::new();
    // Each change is to the sizes here as one of 100,000 keys is to the usual ones.
    let options = Options { work_bytes: 24_000, work_times: 8, tier_bytes: 6_000 };
    let mut index = Index::with_options(Arc::clone(&rig.files), rig.dir(), options).expect("empty");
    let (mut most, mut changed, mut written) = (0, 0, 0);
    for round in 0..250 {
        let keys = (0..100).map(|number| (key(number * 250 + round), Some(key(round))));
        let before = index.tables();
        index = with(&index, &keys.collect()).await;
        most = most.max(index.tables().len());
        let size = |name| Disk.open(&index.shared.path(name), Open::Read)?.len();
        for name in index.tables() {
            if !before.contains(&name) {
                written += size(name).expect("a file");
            }
        }
        changed += 100 * 25;
    }
    assert!(most <= 12, "{most} tables");
    assert!(written < changed * 12, "{written} bytes for {changed}");
    assert!(
        (0..25_000).step_by(7).all(|number| index.get(&key(number)).expect("readable").is_some())
    );
}

#[tokio::test]
async fn what_was_deleted_is_gone_once_everything_is_merged() {
    let rig = Rig::new();
    let keys = |value: Option<Bytes>| (0..400).map(|number| (key(number), value.clone())).collect();
    let some = Some(Bytes::from_static(b"value"));
    let mut index = with(&rig.empty(), &keys(some)).await;
    for _ in 0..3 {
        index = with(&index, &keys(None)).await;
    }
    assert_eq!(index.tables().len(), 0, "nothing is left to keep");
    assert_eq!(index.get(&key(3)).expect("readable"), None);
    assert_eq!(with(&index, &keys(None)).await.tables().len(), 0);
}

#[tokio::test]
async fn another_index_in_the_directory_takes_other_names() {
    let rig = Rig::new();
    let index = with(&rig.empty(), &Model::from([(key(1), Some(key(2)))])).await;
    for other in [rig.empty(), index.emptied().expect("emptied")] {
        assert_eq!(other.get(&key(1)).expect("readable"), None);
        let other = with(&other, &Model::from([(key(1), Some(key(3)))])).await;
        assert_eq!(other.get(&key(1)).expect("readable"), Some(key(3)));
    }
    assert_eq!(index.get(&key(1)).expect("readable"), Some(key(2)));
    assert_eq!(rig.names().len(), 3);
}

#[tokio::test]
async fn damage_is_named_and_a_table_that_has_it_is_not_trusted_again() {
    let rig = Rig::new();
    let keys = (0..2000).map(|number| (key(number), Some(key(number))));
    let index = with(&rig.empty(), &keys.collect()).await;
    let name = index.tables()[0];
    let path = index.shared.path(name);
    let flip = |at: u64| {
        let file = Disk.open(&path, Open::Write).expect("a file");
        let mut byte = [0];
        file.read_at(&mut byte, at).expect("there");
        file.write_at(&[byte[0] ^ 1], at).expect("written");
    };
    let length = Disk.open(&path, Open::Read).expect("a file").len().expect("a length");
    let (second, end) = index.tables[0].footer.place(1);
    // The head, the filter, the footer, and what says where it is.
    for at in [20, index.tables[0].footer.blocks_end + 100, length - 100, length - 33] {
        flip(at);
        let error = rig.reopen(&index).expect_err("damaged").to_string();
        assert!(error.contains(&format!("{} is damaged at byte", path.display())), "{error}");
        assert_eq!(rig.damage(&index), [error]);
        flip(at);
    }
    flip(end - 20);
    let again = rig.reopen(&index).expect("blocks are not read");
    let found = (0..2000).filter_map(|number| again.get(&key(number)).err());
    let errors: Vec<_> = found.map(|error| error.to_string()).collect();
    let expected = format!("{} is damaged at byte {second}", path.display());
    assert!(errors.len() > 100 && errors.iter().all(|error| error.contains(&expected)));
    let error = rig.reopen(&index).expect_err("it lost its name");
    assert!(error.is_not_found() && error.to_string().contains(&path.display().to_string()));
    let fresh = index.emptied().expect("emptied");
    fresh.remove_others(&[]).expect("removed");
    assert_eq!(rig.names(), [""; 0]);
}

#[tokio::test]
async fn an_index_without_room_is_as_it_was_and_tries_again() {
    let disk = Arc::new(FullDisk::new(u64::MAX));
    let rig = Rig::on(disk.clone());
    let mut random = Random::new(5);
    let (mut index, mut model) = (rig.empty(), Model::new());
    let mut refused = 0;
    for round in 0..60 {
        let batch = batch(&mut random, 1000, 200);
        disk.set_room(if round % 2 == 0 { random.below(60_000) as u64 } else { u64::MAX });
        match index.with(batch.clone().into_iter().collect()).await {
            Ok(changed) => {
                model.extend(batch);
                index = changed;
            }
            Err(error) => {
                assert!(error.is_full(), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 3);
    check(&index, &model, 1000);
    check(&rig.reopen(&index).expect("opened"), &model, 1000);
    assert_eq!(rig.damage(&index), [""; 0]);
}
