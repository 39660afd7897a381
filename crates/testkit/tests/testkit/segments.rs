//! What is written as segments, over every state that a loss of power can leave.

use std::path::Path;

use catga::host::Files;
use catga_journal::segment::{
    FileKind, FrameKind, Head, SegmentReader, SegmentWriter, Tail, read_whole, write_whole,
};
use catga_testkit::disk::{CrashStates, Lost, SimDisk};

const CAPACITY: u64 = 64 << 10;
const HEAD: Head = Head { kind: FileKind::Log, first: 1, salt: 7, note: 9 };

fn at(text: &str) -> &Path {
    Path::new(text)
}

fn payload(position: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(position);
    let len = if random.u8(..4) == 0 { random.usize(..3000) } else { random.usize(..100) };
    std::iter::repeat_with(|| random.u8(..)).take(len).collect()
}

/// What was recorded when a promise was made, and up to which position.
type Promise = (usize, u64);

/// Writes a segment in batches, of which some are synced later than the next is written. Gives
/// back all promises, oldest first, and the last position.
async fn write(disk: &SimDisk, seed: u64) -> (Vec<Promise>, u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut writer = SegmentWriter::create(disk, at("/log"), HEAD, CAPACITY).expect("created");
    writer.sync().await.expect("durable");
    disk.sync_dir(at("/")).await.expect("durable");
    let mut promises = vec![(disk.recorded(), 0)];
    let mut position = 0;
    'full: loop {
        for _ in 0..random.usize(1..6) {
            let payload = payload(position + 1);
            if !writer.has_room(payload.len()) {
                break 'full;
            }
            position += 1;
            writer.push(FrameKind::OWNER, position, &[&payload]);
        }
        writer.write().expect("written");
        if random.u8(..3) > 0 {
            writer.sync().await.expect("durable");
            promises.push((disk.recorded(), position));
            if random.bool() {
                writer.mark().expect("marked");
            }
        }
    }
    writer.write().expect("written");
    writer.sync().await.expect("durable");
    promises.push((disk.recorded(), position));
    writer.seal().expect("sealed");
    (promises, position)
}

/// The positions that are read, one after the other from 1, and how the file ends.
fn read(disk: &SimDisk) -> (u64, Tail) {
    let reader = SegmentReader::open(disk, at("/log"), FileKind::Log).expect("a segment");
    let mut scan = reader.scan();
    let mut last = 0;
    while let Some(frame) = scan.next().expect("readable") {
        last += 1;
        assert_eq!((frame.position, &frame.payload[..]), (last, &payload(last)[..]));
    }
    (last, scan.tail().expect("readable"))
}

#[test]
fn every_state_is_read_as_a_prefix_with_all_that_was_synced() {
    catga_testkit::block_on(async {
        let (mut torn, mut beyond) = (0, 0);
        for seed in 0..2 {
            let disk = SimDisk::new(seed);
            disk.record();
            let (promises, pushed) = write(&disk, seed).await;
            let created = promises[0].0;
            let recording = disk.recording().expect("it records");
            for state in CrashStates::new(recording, seed).random(6) {
                if state.after < created {
                    // Nothing was promised yet; a new segment is made.
                    continue;
                }
                let kept = promises.partition_point(|(recorded, _)| *recorded <= state.after);
                let promised = promises[kept - 1].1;
                let (last, tail) = read(&state.disk);
                let place = (seed, state.after, state.lost);
                assert!((promised..=pushed).contains(&last), "{place:?}: {last} of {promised}");
                assert!(!matches!(tail, Tail::Damaged { .. }), "{place:?}: {tail:?}");
                if let Tail::Torn { end } | Tail::Clean { end } = tail {
                    torn += u64::from(matches!(tail, Tail::Torn { .. }));
                    beyond += u64::from(last > promised);
                    go_on(&state.disk, end, last).await;
                }
            }
        }
        assert!(torn > 100 && beyond > 100, "{torn} {beyond}");
    });
}

/// Cuts what is left, writes one more frame, and loses power again.
async fn go_on(disk: &SimDisk, end: u64, last: u64) {
    let reader = SegmentReader::open(disk, at("/log"), FileKind::Log).expect("a segment");
    let mut writer = SegmentWriter::resume(disk, &reader, end).expect("resumed");
    writer.cut().expect("cut");
    writer.sync().await.expect("durable");
    let payload = payload(last + 1);
    if !writer.has_room(payload.len()) {
        return;
    }
    writer.push(FrameKind::OWNER, last + 1, &[&payload]);
    writer.write().expect("written");
    writer.sync().await.expect("durable");
    let end = writer.end();
    disk.crash_losing(Lost::All);
    assert_eq!(read(disk), (last + 1, Tail::Clean { end }));
}

#[test]
fn a_small_file_is_found_as_before_or_as_after() {
    catga_testkit::block_on(async {
        let disk = SimDisk::new(1);
        disk.record();
        let mut promises = vec![(0, None)];
        let text = |number: u64| number.to_string().repeat(700);
        for number in 1..30 {
            let (kind, text) = (FileKind::Checkpoint, text(number));
            let wrote = write_whole(&disk, at("/f"), kind, number, text.as_bytes()).await;
            wrote.expect("written");
            promises.push((disk.recorded(), Some(number)));
        }
        for state in CrashStates::new(disk.recording().expect("it records"), 1).random(6) {
            let read = read_whole(&state.disk, at("/f"), FileKind::Checkpoint);
            let found = read.expect("never damaged").map(|(number, payload)| {
                assert_eq!(payload, text(number));
                number
            });
            let kept = promises.partition_point(|(recorded, _)| *recorded <= state.after) - 1;
            let promised = promises[kept].1;
            let next = Some(promised.unwrap_or(0) + 1);
            assert!([promised, next].contains(&found), "after {}: {found:?}", state.after);
        }
    });
}
