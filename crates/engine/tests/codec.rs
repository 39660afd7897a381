//! Entries and checkpoints as bytes: what is written is read again, and nothing makes them panic.

mod support;

use bytes::Bytes;
use catga_core::{AttemptId, NewEvent};
use catga_engine::{
    Applied, DecodeEntryError, Directive, Effect, Engine, Entry, Limits, MAX_ENTRY_BYTES,
    MAX_ENTRY_EFFECTS, MemoryState, RecordedAnswer, RestoreError,
};
use proptest::prelude::*;
use prost::Message;

use support::drafts::{self, Step};
use support::naive::Naive;
use support::wire;
use support::{effect, event, id, opening, write};

/// The entries that the steps come to, and the engine after them.
fn run(steps: &[Step]) -> (Vec<Entry>, Engine<MemoryState>) {
    let mut model = Naive::new(Limits::default());
    let mut engine = Engine::new(MemoryState::new(), Limits::default());
    let mut entries = Vec::new();
    for step in steps {
        let entry = step.entry(&model);
        model.apply(&entry);
        engine.apply(&entry, &entry.encode(), &mut Applied::default()).expect("this version");
        entries.push(entry);
    }
    (entries, engine)
}

fn damaged(bytes: &Bytes, at: prop::sample::Index, bit: u8) -> Bytes {
    let mut bytes = bytes.to_vec();
    let at = at.index(bytes.len());
    bytes[at] ^= 1 << bit;
    bytes.into()
}

proptest! {
    #[test]
    fn entries_are_read_as_they_were_written(steps in drafts::steps(8)) {
        for entry in run(&steps).0 {
            prop_assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }

    #[test]
    fn entries_are_protobuf_as_another_implementation_knows_it(steps in drafts::steps(8)) {
        for entry in run(&steps).0 {
            let theirs = wire::Entry::from(&entry);
            prop_assert_eq!(wire::Entry::decode(entry.encode()), Ok(theirs.clone()));
            prop_assert_eq!(Entry::decode(&theirs.encode_to_vec().into()), Ok(entry));
        }
    }

    #[test]
    fn damaged_entries_do_not_panic(
        steps in drafts::steps(8),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        for entry in run(&steps).0 {
            let bytes = entry.encode();
            if bytes.is_empty() {
                continue;
            }
            let _ = Entry::decode(&bytes.slice(..at.index(bytes.len())));
            if let Ok(entry) = Entry::decode(&damaged(&bytes, at, bit)) {
                let mut engine = Engine::new(MemoryState::new(), Limits::default());
                let _ = engine.apply(&entry, &bytes, &mut Applied::default());
            }
        }
    }

    #[test]
    fn damaged_checkpoints_are_refused(
        steps in drafts::steps(8),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let bytes = run(&steps).1.checkpoint();
        let restore = |bytes: &Bytes| Engine::restore(bytes, Limits::default());
        prop_assert!(restore(&bytes).is_ok());
        prop_assert!(restore(&bytes.slice(..at.index(bytes.len()))).is_err());
        prop_assert!(restore(&damaged(&bytes, at, bit)).is_err());
    }
}

#[test]
fn payloads_share_the_bytes_of_their_entry() {
    let entry = Entry {
        effects: vec![Effect {
            events: vec![event("x", &[])],
            records: vec![write("x", Some("value"))],
            answer: RecordedAnswer::Reply(Bytes::from_static(b"reply")),
            ..effect(1)
        }],
        ..Entry::default()
    };
    let bytes = entry.encode();
    let within = bytes.as_ptr_range();
    let read = Entry::decode(&bytes).expect("our own bytes");
    let effect = &read.effects[0];
    let RecordedAnswer::Reply(reply) = &effect.answer else {
        panic!("the reply is {:?}", effect.answer);
    };
    let value = effect.records[0].value.as_ref().expect("a value");
    for part in [&effect.events[0].payload, value, reply] {
        assert!(within.contains(&part.as_ptr()), "{part:?} was copied");
    }
}

#[test]
fn the_largest_numbers_are_read_as_they_were_written() {
    let most = id(u64::MAX, u64::MAX);
    let entry = Entry {
        engine: u32::MAX,
        elapsed_ms: u64::MAX,
        wall: support::wall(u64::MAX),
        effects: vec![Effect {
            payload_hash: u64::MAX,
            low_water: u64::MAX,
            kept: vec![u64::MAX, 0],
            directive: Some(Directive::RaiseEngine { to: u32::MAX }),
            // An attempt that stands for another message than the effect's.
            ..Effect::new(id(1, 2), AttemptId { message: most, term: u64::MAX, sequence: u64::MAX })
        }],
    };
    assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
}

#[test]
fn an_entry_over_the_limit_is_refused() {
    let bytes = Bytes::from(vec![0; MAX_ENTRY_BYTES + 1]);
    let refused = Err(DecodeEntryError::TooLarge { bytes: bytes.len() });
    assert_eq!(Entry::decode(&bytes), refused);
}

#[test]
fn fields_of_every_length_are_read_as_they_were_written() {
    for length in [0, 1, 100, 126, 127, 128, 16_383, 16_384, 70_000] {
        let payload = Bytes::from(vec![7; length]);
        let event = NewEvent { payload, ..event("x", &[]) };
        let effect = Effect { events: vec![event], kept: vec![300; length], ..effect(1) };
        let entry = Entry { effects: vec![effect.clone(), effect], ..Entry::default() };
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry), "{length}");
    }
}

#[test]
fn fields_that_this_build_does_not_know_are_passed_over() {
    let known = Entry { effects: vec![effect(1)], ..Entry::default() };
    let mut bytes = known.encode().to_vec();
    // Field 99 in each of the wire types.
    bytes.extend_from_slice(&[0x98, 0x06, 0x96, 0x01]);
    bytes.extend_from_slice(&[0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8]);
    bytes.extend_from_slice(&[0x9A, 0x06, 2, 1, 1]);
    bytes.extend_from_slice(&[0x9D, 0x06, 1, 2, 3, 4]);
    assert_eq!(Entry::decode(&bytes.into()), Ok(known));
}

#[test]
fn too_many_effects_are_refused_before_there_is_memory_for_them() {
    let bytes = Bytes::from([4 << 3 | 2, 0].repeat(MAX_ENTRY_EFFECTS + 1));
    let refused = Err(DecodeEntryError::TooManyEffects { effects: MAX_ENTRY_EFFECTS + 1 });
    assert_eq!(Entry::decode(&bytes), refused);
    assert!(Entry::decode(&bytes.slice(2..)).is_ok());
}

#[test]
fn a_variant_that_this_build_does_not_know_is_refused() {
    // A directive (field 15) whose only field is number 9; in an entry (effects are field 4).
    let effect = [15 << 3 | 2, 2, 9 << 3, 1];
    let mut entry = vec![4 << 3 | 2, effect.len() as u8];
    entry.extend_from_slice(&effect);
    let unknown = DecodeEntryError::Unknown { field: "directive" };
    assert_eq!(Entry::decode(&entry.clone().into()), Err(unknown));
    // The same in an entry of engine version 9 (field 1) is not damage.
    entry.splice(0..0, [1 << 3, 9]);
    assert_eq!(Entry::decode(&entry.into()), Err(DecodeEntryError::NewerEngine { engine: 9 }));
}

#[test]
fn a_checkpoint_that_no_engine_writes_is_refused() {
    let mut engine = Engine::new(MemoryState::new(), Limits::default());
    let effects = vec![opening("a", 1), opening("b", 1)];
    let entry = Entry { engine: 1, effects, ..Entry::default() };
    engine.apply(&entry, &[], &mut Applied::default()).expect("this version");
    let sealed = |from: &str, to: &str| {
        let mut bytes = engine.checkpoint().to_vec();
        bytes.truncate(bytes.len() - 8);
        let at = bytes.windows(from.len()).rposition(|it| it == from.as_bytes()).expect("a name");
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        let checksum = xxhash_rust::xxh3::xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        Engine::restore(&bytes.into(), Limits::default()).map(|engine| engine.offset())
    };
    assert!(sealed("b", "b").is_ok());
    assert_eq!(sealed("b", "a"), Err(RestoreError::Corrupt { what: "node" }));
    assert_eq!(sealed("b", "\u{1}"), Err(RestoreError::Corrupt { what: "node" }));
    let other = Bytes::from_static(b"something else");
    let refused = Engine::restore(&other, Limits::default()).map(|engine| engine.offset());
    assert_eq!(refused, Err(RestoreError::NotACheckpoint));
}
