use bytes::Bytes;
use catga_core::{Offset, SessionId, payload_hash};
use catga_fuzz::{Choices, allocated};

use super::super::checkpoint::Checkpoint;
use super::super::manifest::{EngineMark, Manifest};
use crate::LogIndex;
use crate::archive::{self, Sealed, TailEnd};
use crate::conformance::Random;
use crate::index::{TableMark, TableName};
use crate::record::{Place, Record};
use crate::tests::random_effects::random_effect;

const ITERATIONS: usize = 6_000;
const BYTES: usize = 512;

fn archive(choices: &mut Choices<'_>) -> archive::Manifest {
    let mut next = 1;
    let mut sealed = Vec::new();
    for _ in 0..choices.below(5) {
        let last = next + u64::from(choices.byte());
        sealed.push(Sealed { first: next, last, length: choices.number(), hash: choices.number() });
        next = last + 1;
    }
    let (last, hash) = (next + u64::from(choices.byte()), choices.number());
    let tail = match choices.flip() {
        true => TailEnd { first: next, last, end: 1 + u64::from(choices.byte()), hash },
        false => TailEnd { first: next, last: next - 1, end: 0, hash },
    };
    archive::Manifest { sealed, tail }
}

fn manifest(choices: &mut Choices<'_>) -> Manifest {
    let mark = |choices: &mut Choices<'_>| TableMark {
        name: TableName(choices.number()),
        length: choices.number(),
        hash: choices.number(),
    };
    Manifest {
        incarnation: choices.number(),
        index: LogIndex { term: choices.number(), index: choices.number() },
        engine: EngineMark { length: choices.number(), hash: choices.number() },
        archive: archive(choices),
        tables: (0..choices.below(5)).map(|_| mark(choices)).collect(),
    }
}

#[test]
fn a_manifest_is_read_as_it_was_written_or_not_at_all() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mends = choices.flip();
        let manifest = manifest(&mut choices);
        let good = manifest.encode();
        assert_eq!(Manifest::decode(&good).as_ref(), Some(&manifest));
        let mut bytes = good.to_vec();
        choices.change(&mut bytes);
        if mends && let Some((body, hash)) = bytes.split_last_chunk_mut::<8>() {
            *hash = payload_hash(body).to_le_bytes();
        }
        let bytes = Bytes::from(bytes);
        let (read, took) = allocated(|| Manifest::decode(&bytes));
        assert!(took.largest <= 4 * bytes.len() + 128, "{took:?} of {} bytes", bytes.len());
        if let Some(read) = read {
            assert!(mends || read == manifest);
            assert_eq!(read.encode(), bytes, "no two manifests are one");
            let pieces = read.pieces();
            assert!(pieces.len() <= read.archive.sealed.len() + read.tables.len() + 2);
        }
    });
}

#[test]
fn the_segments_of_an_archive_are_read_as_they_were_written_or_not_at_all() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mut bytes = archive(&mut choices).encode().to_vec();
        choices.change(&mut bytes);
        let bytes = Bytes::from(bytes);
        let (read, took) = allocated(|| archive::Manifest::decode(bytes.clone()));
        assert!(took.largest <= 4 * bytes.len() + 128, "{took:?} of {} bytes", bytes.len());
        let Some(read) = read else { return };
        assert_eq!(read.encode(), bytes);
        // No offset is missing, and none is there twice.
        let ends = read.sealed.iter().map(|sealed| (sealed.first, sealed.last));
        let ends: Vec<_> = ends.chain([(read.tail.first, read.tail.last)]).collect();
        assert_eq!(ends[0].0, 1);
        assert!(ends.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{ends:?}");
    });
}

#[test]
fn a_checkpoint_is_read_as_it_was_written_or_not_at_all() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let checkpoint = Checkpoint {
            incarnation: choices.number(),
            index: LogIndex { term: choices.number(), index: choices.number() },
            tables: (0..choices.below(5)).map(|_| TableName(choices.number())).collect(),
            archive: archive(&mut choices).encode(),
            engine: Bytes::copy_from_slice(choices.bytes(90)),
        };
        assert_eq!(Checkpoint::decode(checkpoint.encode()).as_ref(), Some(&checkpoint));
        let mut bytes = checkpoint.encode().to_vec();
        choices.change(&mut bytes);
        let bytes = Bytes::from(bytes);
        let (read, took) = allocated(|| Checkpoint::decode(bytes.clone()));
        assert!(took.largest <= 4 * bytes.len() + 128, "{took:?} of {} bytes", bytes.len());
        if let Some(read) = read {
            assert_eq!(read.encode(), bytes);
        }
    });
}

#[test]
fn a_record_is_read_as_it_was_written_or_not_at_all() {
    catga_fuzz::target!(3_000, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let mut effect = random_effect(&mut Random::new(choices.number()), SessionId(1));
        effect.conditions.clear();
        let place = |_| Place { version: choices.number(), previous: Offset(choices.number()) };
        let places = effect.events.iter().map(place).collect();
        let record = Record { effect, places };
        assert_eq!(Record::decode(record.clone().encode()).as_ref(), Some(&record));
        let mut bytes = record.encode().to_vec();
        choices.change(&mut bytes);
        let bytes = Bytes::from(bytes);
        let (read, took) = allocated(|| Record::decode(bytes.clone()));
        assert!(took.largest <= 128 * bytes.len() + 1024, "{took:?} of {} bytes", bytes.len());
        if let Some(read) = read {
            assert_eq!(Record::decode(read.clone().encode()), Some(read));
        }
    });
}
