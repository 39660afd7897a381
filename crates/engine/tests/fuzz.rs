//! Bytes from anywhere: they are refused or taken, but nothing panics, and nothing is reserved that
//! they do not pay for.

mod support;

use bytes::Bytes;
use catga_engine::{Applied, Engine, Entry, Limits, MemoryState};
use catga_fuzz::{Choices, Counting, allocated};
use xxhash_rust::xxh3::xxh3_64;

use support::{effect, event, keyed, opening, write};

const ITERATIONS: usize = 8_000;
const BYTES: usize = 1024;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn applied() -> Engine<MemoryState> {
    let mut engine = Engine::new(MemoryState::new(), Limits::default());
    let entry = seed();
    engine.apply(&entry, &entry.encode(), &mut Applied::default()).expect("this version");
    engine
}

/// An entry with some of everything.
fn seed() -> Entry {
    let full = catga_engine::Effect {
        events: vec![event("x", &["y"])],
        records: vec![write("x", Some("value"))],
        low_water: 4,
        kept: vec![2, 3],
        ..keyed(3, "k")
    };
    Entry { engine: 1, effects: vec![opening("a", 1), full, effect(2)], ..Entry::default() }
}

fn try_entry(bytes: Vec<u8>) {
    let bytes = Bytes::from(bytes);
    let (decoded, took) = allocated(|| Entry::decode(&bytes));
    assert!(took.total <= bytes.len() * 64 + 4096, "{took:?} for {} bytes", bytes.len());
    let Ok(entry) = decoded else { return };
    assert_eq!(Entry::decode(&entry.encode()).as_ref(), Ok(&entry));
    let (mut engine, mut out) = (applied(), Applied::default());
    if engine.apply(&entry, &bytes, &mut out).is_ok() {
        assert_eq!(out.verdicts.len(), entry.effects.len());
        let restored = Engine::restore(&engine.checkpoint(), Limits::default());
        assert_eq!(restored.expect("our own bytes").checkpoint(), engine.checkpoint());
    }
}

fn try_checkpoint(bytes: Vec<u8>) {
    let bytes = Bytes::from(bytes);
    let (restored, took) = allocated(|| Engine::restore(&bytes, Limits::default()));
    assert!(took.largest <= bytes.len() * 64 + 65536, "{took:?} for {} bytes", bytes.len());
    let Ok(mut engine) = restored else { return };
    let entry = seed();
    engine.apply(&entry, &entry.encode(), &mut Applied::default()).expect("this version");
}

#[test]
fn arbitrary_entries() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| try_entry(input.to_vec()));
}

#[test]
fn nearly_good_entries() {
    let good = seed().encode();
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut bytes = good.to_vec();
        Choices::new(input).change(&mut bytes);
        try_entry(bytes);
    });
}

#[test]
fn arbitrary_checkpoints() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| try_checkpoint(input.to_vec()));
}

#[test]
fn nearly_good_checkpoints() {
    let good = applied().checkpoint();
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut bytes = good[..good.len() - 8].to_vec();
        Choices::new(input).change(&mut bytes);
        let checksum = xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        try_checkpoint(bytes);
    });
}
