use std::path::PathBuf;
use std::sync::Arc;

use catga_host::{Disk, File, Files, Open};
use tempfile::TempDir;

use super::{
    FileKind, FrameKind, Head, SegmentError, SegmentReader, SegmentWriter, Tail, read_whole,
    remove_unfinished, write_whole,
};

struct Rig {
    _dir: TempDir,
    path: PathBuf,
}

const HEAD: Head = Head { kind: FileKind::Log, first: 1, salt: 7, note: 9 };
const CAPACITY: u64 = 1 << 20;

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("segment");
        Self { _dir: dir, path }
    }

    fn create(&self) -> SegmentWriter {
        SegmentWriter::create(&Disk, &self.path, HEAD, CAPACITY).expect("a new file")
    }

    fn reader(&self) -> SegmentReader {
        SegmentReader::open(&Disk, &self.path, FileKind::Log).expect("a file")
    }

    fn file(&self) -> Arc<dyn File> {
        Disk.open(&self.path, Open::Write).expect("a file")
    }

    fn positions(&self) -> Vec<u64> {
        let mut scan = self.reader().scan();
        let mut positions = Vec::new();
        while let Some(frame) = scan.next().expect("readable") {
            assert_eq!(frame.payload, payload(frame.position), "at {}", frame.position);
            positions.push(frame.position);
        }
        positions
    }

    fn tail(&self) -> Tail {
        self.reader().scan().tail().expect("readable")
    }

    fn flip(&self, at: u64) {
        let file = self.file();
        let mut byte = [0];
        file.read_at(&mut byte, at).expect("there");
        file.write_at(&[byte[0] ^ 1], at).expect("written");
    }
}

fn payload(position: u64) -> Vec<u8> {
    vec![position as u8; position as usize * 7 % 300]
}

fn push(writer: &mut SegmentWriter, positions: std::ops::Range<u64>) -> Vec<u64> {
    positions
        .map(|position| writer.push(FrameKind::OWNER, position, &[&payload(position)]))
        .collect()
}

async fn flush(writer: &mut SegmentWriter) {
    writer.write().expect("written");
    writer.sync().await.expect("synced");
}

#[tokio::test]
async fn what_was_written_is_read_by_place_and_in_order() {
    let rig = Rig::new();
    let mut writer = rig.create();
    let mut places = push(&mut writer, 1..10);
    flush(&mut writer).await;
    places.extend(push(&mut writer, 10..2000));
    flush(&mut writer).await;
    assert_eq!(rig.positions(), Vec::from_iter(1..2000));
    for (position, at) in (1..).zip(places) {
        let frame = rig.reader().read(at).expect("a frame");
        assert_eq!((frame.position, &frame.payload[..]), (position, &payload(position)[..]));
    }
    assert_eq!(rig.tail(), Tail::Clean { end: writer.end() });
    writer.seal().expect("sealed");
    assert_eq!(rig.tail(), Tail::Sealed { end: writer.end() });
    assert_eq!(rig.reader().head(), HEAD);
}

#[tokio::test]
async fn a_batch_that_was_never_synced_is_a_torn_tail_and_is_cut() {
    let rig = Rig::new();
    let mut writer = rig.create();
    push(&mut writer, 1..10);
    flush(&mut writer).await;
    let places = push(&mut writer, 10..100);
    writer.write().expect("written");
    rig.flip(places[5] + 30);
    assert_eq!(rig.positions(), Vec::from_iter(1..15));
    assert_eq!(rig.tail(), Tail::Torn { end: places[5] });
    let mut writer = SegmentWriter::resume(&Disk, &rig.reader(), places[5]).expect("resumed");
    writer.cut().expect("cut");
    assert_eq!(rig.tail(), Tail::Clean { end: places[5] });
    push(&mut writer, 15..16);
    flush(&mut writer).await;
    assert_eq!(rig.positions(), Vec::from_iter(1..16), "nothing old follows");
}

#[tokio::test]
async fn what_a_later_batch_knows_to_be_synced_is_damage() {
    let rig = Rig::new();
    let mut writer = rig.create();
    let places = push(&mut writer, 1..50);
    flush(&mut writer).await;
    push(&mut writer, 50..60);
    writer.write().expect("written");
    rig.flip(places[20] + 2);
    assert_eq!(rig.tail(), Tail::Damaged { at: places[20] });
    assert_eq!(rig.positions(), Vec::from_iter(1..21));
}

#[tokio::test]
async fn the_last_frame_at_rest_is_protected_by_the_mark() {
    for marked in [false, true] {
        let rig = Rig::new();
        let mut writer = rig.create();
        let places = push(&mut writer, 1..3);
        flush(&mut writer).await;
        if marked {
            writer.mark().expect("marked");
            let end = writer.end();
            writer.mark().expect("nothing to mark");
            assert_eq!(writer.end(), end);
        }
        assert_eq!(rig.tail(), Tail::Clean { end: writer.end() });
        rig.flip(places[1] + 24);
        let at = places[1];
        let expected = if marked { Tail::Damaged { at } } else { Tail::Torn { end: at } };
        assert_eq!(rig.tail(), expected);
    }
}

#[tokio::test]
async fn every_flipped_bit_below_a_mark_is_noticed() {
    let rig = Rig::new();
    let mut writer = rig.create();
    push(&mut writer, 1..4);
    flush(&mut writer).await;
    writer.mark().expect("marked");
    let synced = writer.end() - 32;
    let payload_bytes: u64 = (1..4).map(|p| payload(p).len() as u64).sum();
    let mut unnoticed = 0;
    for at in rig.reader().start()..synced {
        rig.flip(at);
        if !matches!(rig.tail(), Tail::Damaged { .. }) {
            unnoticed += 1;
        }
        rig.flip(at);
    }
    // Nobody reads what only fills up to the alignment.
    let padding = synced - rig.reader().start() - 3 * 24 - payload_bytes - 32;
    assert_eq!(unnoticed, padding);
    for at in 0..64 {
        rig.flip(at);
        assert!(SegmentReader::open(&Disk, &rig.path, FileKind::Log).is_err(), "byte {at}");
        rig.flip(at);
    }
}

#[tokio::test]
async fn a_file_takes_no_more_than_was_reserved() {
    let rig = Rig::new();
    let mut writer = rig.create();
    let mut position = 0;
    while writer.has_room(1000) {
        position += 1;
        writer.push(FrameKind::OWNER, position, &[&[1; 1000]]);
        if position % 10 == 0 {
            flush(&mut writer).await;
            writer.mark().expect("marked");
        }
    }
    flush(&mut writer).await;
    writer.mark().expect("marked");
    writer.seal().expect("sealed");
    assert!(writer.end() <= CAPACITY && writer.end() > CAPACITY - 2000, "{}", writer.end());
}

#[tokio::test]
async fn a_small_file_is_replaced_as_a_whole() {
    let rig = Rig::new();
    let read = || read_whole(&Disk, &rig.path, FileKind::Checkpoint);
    assert!(matches!(read(), Ok(None)));
    for text in ["one", "another one"] {
        let wrote = write_whole(&Disk, &rig.path, FileKind::Checkpoint, 5, text.as_bytes()).await;
        wrote.expect("written");
        let (position, payload) = read().expect("readable").expect("there");
        assert_eq!((position, &payload[..]), (5, text.as_bytes()));
    }
    let other = read_whole(&Disk, &rig.path, FileKind::View).expect_err("of another kind");
    assert!(matches!(other, SegmentError::Foreign { .. }), "{other}");
    rig.flip(64 + 24 + 3);
    let damaged = read().expect_err("damaged");
    assert!(damaged.to_string().contains("damaged at byte 64"), "{damaged}");
}

#[test]
fn what_a_dead_writer_left_is_removed_and_nothing_else() {
    let rig = Rig::new();
    let dir = rig.path.parent().expect("a directory").to_owned();
    for name in ["1.new", "1.checkpoint", "new"] {
        std::fs::write(dir.join(name), b"half").expect("a file");
    }
    remove_unfinished(&Disk, &dir).expect("it can be read");
    let mut left = Disk.list(&dir).expect("it can be read");
    left.sort();
    assert_eq!(left, ["1.checkpoint", "new"]);
}
