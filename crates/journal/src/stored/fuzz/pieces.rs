use std::path::Path;
use std::sync::Arc;

use catga_fuzz::{Choices, allocated};
use catga_host::{Files, Open};
use catga_testkit::disk::SimDisk;

use super::super::manifest::Piece;
use super::super::{Checkpoints, Manifest, PiecesOut, Staging};
use super::directory::{DIR, files, put, runtime};
use crate::segment::{FileKind, SegmentReader};
use crate::{Incoming, Outgoing};

/// What is reserved for a part, beside what it holds.
const READ_BYTES: usize = 300 << 10;

/// A part as it is sent at most.
const PART: usize = 3000;

fn read(files: &dyn Files, path: &Path) -> Vec<u8> {
    let file = files.open(path, Open::Read).expect("a file");
    let mut bytes = vec![0; usize::try_from(file.len().expect("known")).expect("short")];
    file.read_at(&mut bytes, 0).expect("read");
    bytes
}

/// Two files have the same head and the same frames; what fills a frame up means nothing.
fn assert_same(kept: &[u8], offered: &[u8], kind: FileKind) {
    let read = |bytes: &[u8]| {
        let (disk, path) = (SimDisk::new(1), Path::new("/file"));
        disk.open(path, Open::Create).expect("a file").write_at(bytes, 0).expect("written");
        let reader = SegmentReader::open(&disk, path, kind).expect("a head");
        let mut scan = reader.scan();
        let mut frames = Vec::new();
        while let Some(frame) = scan.next().expect("readable") {
            frames.push(frame);
        }
        (reader.head(), frames, scan.tail().expect("readable"))
    };
    assert_eq!(read(kept), read(offered));
}

/// Whatever is sent in place of a piece, what is kept in the end is what was offered; or an
/// error says so. Somebody who sends no end of it is told in the end.
#[test]
fn pieces_that_are_complete_are_those_that_were_offered() {
    let runtime = runtime();
    let there = put(&runtime, &files());
    let sender = Checkpoints::new(Arc::clone(&there), DIR.into());
    let (checkpoint, stored) =
        runtime.block_on(sender.open()).expect("it is whole").expect("there is one");
    let incarnation = checkpoint.incarnation;
    let manifest = Manifest::of(incarnation, checkpoint.index, &checkpoint.engine, &stored);
    assert!(manifest.pieces().len() > 3, "{manifest:?}");
    let mut sends = PiecesOut::open(sender, &manifest).expect("the pieces are there");
    let offered: Vec<Vec<u8>> = (0..)
        .zip(manifest.pieces())
        .map(|(piece, known)| {
            let length = usize::try_from(known.length()).expect("it is short");
            let whole = sends.read(crate::PiecePlace { piece, offset: 0 }, length);
            whole.expect("it is there").to_vec()
        })
        .collect();
    catga_fuzz::target!(300, 512, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let empty = put(&runtime, &[]);
        let receiver = Checkpoints::new(Arc::clone(&empty), DIR.into());
        let nothing = runtime.block_on(receiver.empty()).expect("made");
        let staging = Arc::new(Staging::new(receiver));
        let begun = runtime.block_on(staging.receive(Some(&manifest), 5, &nothing));
        let mut incoming = begun.expect("nothing contradicts it");
        for _ in 0..200 {
            let Some(wanted) = incoming.wanted() else { break };
            let piece = &offered[wanted.piece as usize];
            let from = usize::try_from(wanted.offset).expect("it is short");
            let to = piece.len().min(from + 1 + choices.below(PART));
            // A whole part once nothing is left to choose, so that it comes to an end.
            let to = if choices.is_over() { piece.len() } else { to };
            let mut part = piece[from..to].to_vec();
            let mut at = wanted;
            match choices.byte() {
                1..40 => choices.change(&mut part),
                40..50 => at.offset = choices.number(),
                50..60 => at.piece = choices.byte().into(),
                _ => {}
            }
            let take = || runtime.block_on(incoming.take(at, &part));
            let (taken, took) = allocated(take);
            let most = READ_BYTES + 4 * piece.len();
            assert!(took.largest <= most, "{took:?} of {} bytes", piece.len());
            if let Err(fault) = taken {
                assert!(!fault.message().is_empty());
            }
        }
        assert_eq!(incoming.wanted(), None, "it came to no end");
        for (piece, offered) in manifest.pieces().iter().zip(&offered) {
            let path = staging.path(piece).expect("it is here");
            let kept = read(&*empty, &path);
            assert_eq!(kept.len(), offered.len(), "{piece:?}");
            match piece {
                Piece::Engine(_) => assert_eq!(kept, *offered),
                Piece::Table(_) => assert_same(&kept, offered, FileKind::Index),
                Piece::Sealed(_) | Piece::Tail(_) => assert_same(&kept, offered, FileKind::History),
            }
        }
    });
}
