use std::path::Path;

use bytes::Bytes;
use catga_fuzz::{Choices, Counting, allocated, write_checksums};
use catga_host::{Files, Open};
use catga_testkit::disk::SimDisk;
use tokio::runtime::Builder;

use super::{
    FileKind, Frame, FrameKind, Head, SegmentError, SegmentReader, SegmentWriter, Tail, read_whole,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ITERATIONS: usize = 3_000;
const BYTES: usize = 1024;
const PATH: &str = "/segment";
const CAPACITY: u64 = 4096;

/// What is read of a file at once, and a little more.
const READ_BYTES: usize = 300 << 10;

/// A file of some batches, as its writer leaves it or a loss of power does.
async fn written(choices: &mut Choices<'_>) -> (Vec<u8>, Vec<Frame>) {
    let disk = SimDisk::new(1);
    let head = Head { kind: FileKind::Log, first: 1, salt: choices.number(), note: 0 };
    let mut writer = SegmentWriter::create(&disk, Path::new(PATH), head, CAPACITY).expect("a file");
    let mut frames = Vec::new();
    for position in 1..=choices.below(12) as u64 {
        let payload = choices.bytes(90);
        if !writer.has_room(payload.len()) {
            break;
        }
        let kind = FrameKind(FrameKind::OWNER.0 + u32::from(choices.byte()));
        let at = writer.push(kind, position, &[payload]);
        frames.push(Frame { kind, position, at, payload: Bytes::copy_from_slice(payload) });
        if choices.flip() {
            writer.write().expect("written");
            if choices.flip() {
                writer.sync().await.expect("synced");
            }
        }
    }
    writer.write().expect("written");
    if choices.flip() {
        writer.sync().await.expect("synced");
        writer.mark().expect("written");
    }
    if choices.flip() {
        writer.seal().expect("written");
    }
    (disk.contents(PATH).expect("it is there"), frames)
}

fn disk(bytes: &[u8]) -> SimDisk {
    let disk = SimDisk::new(1);
    let file = disk.open(Path::new(PATH), Open::Create).expect("a file");
    file.write_at(bytes, 0).expect("written");
    disk
}

/// The frames of a file, how it ends, and how far it says that it was synced.
fn scanned(disk: &SimDisk) -> Result<(Vec<Frame>, Tail, u64), SegmentError> {
    let reader = SegmentReader::open(disk, Path::new(PATH), FileKind::Log)?;
    let mut scan = reader.scan();
    let mut frames = Vec::new();
    while let Some(frame) = scan.next()? {
        frames.push(frame);
    }
    let synced = scan.synced();
    Ok((frames, scan.tail()?, synced))
}

/// Frames that fail their checksum never come out; what comes out stands in the file, one after another.
/// A file that lost something that was synced is damaged and not torn.
#[test]
fn frames_are_those_that_were_written() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (mends, changes) = (choices.flip(), choices.bytes(48));
        let (good, expected) = runtime.block_on(written(&mut choices));
        let (frames, ..) = scanned(&disk(&good)).expect("it is whole");
        assert_eq!(frames, expected);
        // What was never written is most of the file.
        let used = good.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 9);
        let mut bytes = good[..used.min(good.len())].to_vec();
        let unused = good[bytes.len()..].to_vec();
        Choices::new(changes).change(&mut bytes);
        bytes.extend(unused);
        if mends {
            write_checksums(&mut bytes);
        }
        let there = disk(&bytes);
        let (read, took) = allocated(|| scanned(&there));
        assert!(took.largest <= READ_BYTES, "{took:?}");
        let (frames, tail, synced) = match read {
            Ok(read) => read,
            // Its head is none, and an error says of which file.
            Err(error) => return assert!(error.to_string().contains(PATH), "{error}"),
        };
        let mut at = 64;
        for frame in &frames {
            assert!(frame.at >= at && frame.end() <= (bytes.len() as u64).next_multiple_of(8));
            at = frame.end();
        }
        if mends {
            return;
        }
        assert!(expected.starts_with(&frames), "{frames:?}");
        let end = match tail {
            Tail::Sealed { end } | Tail::Clean { end } | Tail::Torn { end } => end,
            Tail::Damaged { at } => at,
        };
        assert!(end >= at);
        if let Tail::Clean { .. } | Tail::Torn { .. } = tail {
            assert!(synced <= end, "what was synced is missing: {tail:?}");
        }
    });
}

#[test]
fn a_whole_file_is_what_was_written() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let (mends, position) = (choices.flip(), choices.number());
        let payload = Bytes::copy_from_slice(choices.bytes(200));
        let written = SimDisk::new(1);
        let (path, kind) = (Path::new(PATH), FileKind::View);
        let write = super::write_whole(&written, path, kind, position, &payload);
        runtime.block_on(write).expect("written");
        let good = written.contents(PATH).expect("it is there");
        let mut bytes = good.clone();
        choices.change(&mut bytes);
        if mends {
            write_checksums(&mut bytes);
        }
        let there = disk(&bytes);
        let (read, took) = allocated(|| read_whole(&there, path, kind));
        assert!(took.largest <= 80 << 10 | bytes.len(), "{took:?}");
        match read {
            Ok(Some((_, read))) if mends => assert!(read.len() < bytes.len()),
            Ok(read) => assert_eq!(read, Some((position, payload))),
            Err(error) => {
                assert!(bytes != good && error.to_string().contains(PATH), "{error}");
            }
        }
    });
}
