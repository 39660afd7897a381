//! Bytes from anywhere: they are refused or taken, but nothing panics.
//!
//! `cargo test` runs a bounded number of inputs; `cargo bolero test` runs the same targets for as
//! long as one likes.

mod support;

use bytes::Bytes;
use catga_engine::{Applied, Engine, Entry, Limits, MemoryState};
use xxhash_rust::xxh3::xxh3_64;

use support::{effect, event, keyed, opening, write};

const ITERATIONS: usize = 8_000;

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

/// A few of the bytes laid over good ones, from a place that they name, so that inputs get past
/// the first check.
fn over(good: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut all = good.to_vec();
    if let [high, low, length, patch @ ..] = bytes {
        let at = usize::from(u16::from_be_bytes([*high, *low])) % all.len();
        for (slot, byte) in all[at..].iter_mut().zip(patch).take(usize::from(length % 8)) {
            *slot = *byte;
        }
    }
    all
}

fn try_entry(bytes: Vec<u8>) {
    let bytes = Bytes::from(bytes);
    let Ok(entry) = Entry::decode(&bytes) else {
        return;
    };
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
    let Ok(mut engine) = Engine::restore(&bytes, Limits::default()) else {
        return;
    };
    let entry = seed();
    engine.apply(&entry, &entry.encode(), &mut Applied::default()).expect("this version");
}

#[test]
fn arbitrary_entries() {
    bolero::check!().with_iterations(ITERATIONS).for_each(|bytes: &[u8]| try_entry(bytes.to_vec()));
}

#[test]
fn nearly_good_entries() {
    let good = seed().encode();
    bolero::check!().with_iterations(ITERATIONS).for_each(|bytes: &[u8]| {
        try_entry(over(&good, bytes));
    });
}

#[test]
fn arbitrary_checkpoints() {
    bolero::check!().with_iterations(ITERATIONS).for_each(|bytes: &[u8]| {
        try_checkpoint(bytes.to_vec());
    });
}

#[test]
fn nearly_good_checkpoints() {
    let good = applied().checkpoint();
    bolero::check!().with_iterations(ITERATIONS).for_each(|bytes: &[u8]| {
        let mut all = over(&good[..good.len() - 8], bytes);
        let checksum = xxh3_64(&all);
        all.extend_from_slice(&checksum.to_le_bytes());
        try_checkpoint(all);
    });
}
