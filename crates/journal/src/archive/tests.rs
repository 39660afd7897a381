use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use catga_core::Offset;
use catga_host::{Disk, Files, Open};
use tempfile::TempDir;

use super::manifest::Manifest;
use super::verify::Claims;
use super::{Archive, ArchiveOptions};
use crate::conformance::Random;
use crate::segment::SegmentError;
use crate::tests::full_disk::FullDisk;

/// Some records to a segment, in more than one frame of places.
const OPTIONS: ArchiveOptions = ArchiveOptions { segment_bytes: 40_000, damage: None };

struct Rig {
    dir: TempDir,
    files: Arc<dyn Files>,
}

impl Rig {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), files: Arc::new(Disk) }
    }

    fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    fn empty(&self) -> Archive {
        Archive::empty(Arc::clone(&self.files), self.dir(), OPTIONS)
    }

    fn open(&self, manifest: &Bytes) -> Result<Archive, SegmentError> {
        Archive::open(Arc::clone(&self.files), self.dir(), OPTIONS, manifest)
    }

    /// What is wrong with the files of an archive.
    fn damage(&self, archive: &Archive) -> Vec<String> {
        let mut claims = Claims::new(Arc::clone(&self.files), self.dir());
        assert_eq!(claims.add(&archive.manifest()), Some(archive.last().0));
        let reports = claims.verify().into_iter();
        reports.filter_map(|(_, found)| Some(found.err()?.to_string())).collect()
    }

    fn names(&self) -> Vec<String> {
        Disk.list(self.dir.path()).expect("names")
    }
}

fn record(offset: u64) -> Bytes {
    Bytes::from(vec![offset as u8; (offset * 13 % 90) as usize])
}

async fn append(archive: &Archive, count: u64) -> Archive {
    let last = archive.last().0;
    let records = (last + 1..=last + count).map(record);
    archive.append(records.map(Ok)).await.expect("appended")
}

fn check(archive: &Archive, last: u64) {
    assert_eq!(archive.last(), Offset(last));
    for start in [0, 1, last / 3, last / 2, last.saturating_sub(1), last, last + 1] {
        let read: Result<Vec<_>, _> = archive.records_after(Offset(start)).collect();
        let expected = (start + 1..=last).map(|offset| (Offset(offset), record(offset)));
        assert_eq!(read.expect("readable"), Vec::from_iter(expected), "after {start} of {last}");
    }
    for offset in 1..=last {
        assert_eq!(archive.read(Offset(offset)).expect("a record"), record(offset), "{offset}");
    }
    assert!(archive.read(Offset(0)).is_err() && archive.read(Offset(last + 1)).is_err());
}

fn flip(path: &Path, at: u64) {
    let file = Disk.open(path, Open::Write).expect("a file");
    let mut byte = [0];
    file.read_at(&mut byte, at).expect("there");
    file.write_at(&[byte[0] ^ 1], at).expect("written");
}

fn segments(archive: &Archive) -> Vec<(u64, u64, u64)> {
    let Manifest { sealed, tail } = Manifest::decode(archive.manifest()).expect("a manifest");
    let sealed = sealed.iter().map(|sealed| (sealed.first, sealed.last, sealed.hash));
    sealed.chain([(tail.first, tail.last, tail.hash)]).collect()
}

#[tokio::test]
async fn every_value_of_an_archive_is_readable_and_opens_again() {
    let rig = Rig::new();
    let mut random = Random::new(1);
    let mut values = vec![rig.empty()];
    while values[values.len() - 1].last().0 < 4000 {
        let count = random.below(400) as u64;
        values.push(append(&values[values.len() - 1], count).await);
    }
    assert!(segments(&values[values.len() - 1]).len() > 5);
    for archive in &values {
        let last = archive.last().0;
        check(archive, last);
        check(&rig.open(&archive.manifest()).expect("opened"), last);
    }
    assert_eq!(rig.damage(&values[values.len() - 1]), [""; 0]);
}

#[tokio::test]
async fn segments_follow_from_the_records_and_not_from_when_they_came() {
    let mut all = Vec::new();
    for seed in 0..4 {
        let rig = Rig::new();
        let mut random = Random::new(seed);
        let mut archive = rig.empty();
        while archive.last().0 < 3000 {
            let count = if seed == 0 { 3000 } else { 1 + random.below(300) as u64 };
            archive = append(&archive, count.min(3000 - archive.last().0)).await;
            if random.below(3) == 0 {
                archive = rig.open(&archive.manifest()).expect("opened");
            }
        }
        all.push(segments(&archive));
    }
    assert!(all[0].len() > 3);
    assert!(all.iter().all(|other| *other == all[0]));
}

#[tokio::test]
async fn what_never_came_into_a_checkpoint_is_cut_and_removed() {
    let rig = Rig::new();
    let old = append(&rig.empty(), 100).await;
    let manifest = old.manifest();
    // Its tail has been sealed since, and others follow.
    let lost = append(&old, 3000).await;
    assert!(segments(&lost)[0].1 > 100);
    let names = rig.names().len();
    check(&lost, 3100);
    let again = rig.open(&manifest).expect("the older one is there");
    check(&again, 100);
    again.remove_others().expect("removed");
    assert!(names > 2 && rig.names().len() == 1, "{:?}", rig.names());
    check(&again, 100);
    assert_eq!(rig.damage(&again), [""; 0]);
    let next = append(&again, 7).await;
    check(&next, 107);
    let tail = Manifest::decode(next.manifest()).expect("a manifest").tail;
    let path = next.shared.path(tail.first);
    let length = Disk.open(&path, Open::Read).expect("a file").len().expect("a length");
    assert_eq!(length, tail.end, "nothing old is behind it");
    check(&rig.open(&manifest).expect("the older one is there"), 100);
    // And without any checkpoint at all.
    check(&append(&rig.empty(), 2000).await, 2000);
}

#[tokio::test]
async fn damage_is_found_and_named_wherever_it_is() {
    let rig = Rig::new();
    let archive = append(&append(&rig.empty(), 1500).await, 4).await;
    let manifest = Manifest::decode(archive.manifest()).expect("a manifest");
    let (sealed, tail) = (manifest.sealed[1], manifest.tail);
    let path = archive.shared.path(sealed.first);
    let reader = archive.shared.open(sealed.first).expect("a segment");
    let (start, end) = sealed.place(&archive.shared, &reader, sealed.first + 5).expect("a place");
    let places = sealed.places_at(&reader).expect("places");
    assert!(end > start && places > end);

    flip(&path, 20);
    let error = rig.open(&archive.manifest()).expect_err("its head is damaged");
    assert!(error.to_string().contains(&format!("{} is damaged at byte 0", path.display())));
    assert_eq!(rig.damage(&archive), [error.to_string()]);
    flip(&path, 20);

    for at in [start + 1, places + 9] {
        flip(&path, at);
        let opened = rig.open(&archive.manifest()).expect("only heads and the tail are read");
        let error = opened.read(Offset(sealed.first + 5)).expect_err("damaged").to_string();
        let frame = if at > places { places } else { start };
        let expected = format!("{} is damaged at byte {frame}", path.display());
        assert!(error.contains(&expected), "{error}");
        let damage = rig.damage(&archive);
        assert!(damage.len() == 1 && damage[0].contains(&expected), "{damage:?}");
        flip(&path, at);
    }
    let mut stream = archive.records_after(Offset(sealed.first));
    flip(&path, start + 30);
    assert_eq!(stream.by_ref().take_while(Result::is_ok).count(), 4);
    assert!(stream.next().is_none(), "nothing follows an error");
    flip(&path, start + 30);

    let path = archive.shared.path(tail.first);
    flip(&path, tail.end - 16);
    let error = rig.open(&archive.manifest()).expect_err("its tail is damaged").to_string();
    assert!(error.contains(&format!("{} is damaged at byte", path.display())), "{error}");
    assert_eq!(rig.damage(&archive), [error]);
    flip(&path, tail.end - 16);
    assert_eq!(rig.damage(&archive), [""; 0]);

    let file = Disk.open(&path, Open::Write).expect("a file");
    file.set_len(tail.end - 8).expect("cut");
    let error = rig.open(&archive.manifest()).expect_err("its tail is cut off").to_string();
    assert!(error.contains(&format!("{} is damaged at byte", path.display())), "{error}");
    let path = archive.shared.path(sealed.first);
    Disk.remove(&path).expect("removed");
    let error = rig.open(&archive.manifest()).expect_err("a segment is missing");
    assert!(error.is_not_found() && error.to_string().contains(&path.display().to_string()));
    assert_eq!(rig.damage(&archive).len(), 2);
}

#[tokio::test]
async fn every_flipped_bit_of_a_segment_is_found_by_the_tool() {
    let rig = Rig::new();
    let mut archive = rig.empty();
    while archive.sealed.is_empty() {
        archive = append(&archive, 300).await;
    }
    let sealed = archive.sealed[0];
    let path = archive.shared.path(sealed.first);
    let mut unnoticed = 0;
    // All of it would take long; a prime step meets every kind of place.
    for at in (0..sealed.length).step_by(97) {
        flip(&path, at);
        unnoticed += u64::from(rig.damage(&archive).is_empty());
        flip(&path, at);
    }
    // Nobody reads what only fills up to the alignment, nor how far the file was synced.
    assert!(unnoticed < sealed.length / 97 / 10, "{unnoticed} of {}", sealed.length / 97);
}

#[tokio::test]
async fn an_archive_without_room_is_as_it_was_and_tries_again() {
    let disk = Arc::new(FullDisk::new(u64::MAX));
    let rig = Rig { dir: tempfile::tempdir().expect("a directory"), files: disk.clone() };
    let mut archive = append(&rig.empty(), 50).await;
    let mut refused = 0;
    for bytes in (100..120_000).step_by(13_001) {
        disk.set_room(bytes);
        let last = archive.last().0;
        let records = (last + 1..=last + 1200).map(record);
        match archive.append(records.map(Ok)).await {
            Ok(_) => {}
            Err(error) => {
                assert!(error.is_full(), "{error}");
                refused += 1;
            }
        }
        check(&archive, last);
        check(&rig.open(&archive.manifest()).expect("opened"), last);
        disk.set_room(u64::MAX);
        archive = append(&archive, 400).await;
        check(&archive, last + 400);
    }
    assert!(refused > 3);
    assert_eq!(rig.damage(&archive), [""; 0]);
}
