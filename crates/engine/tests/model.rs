//! The engine against the same rules written as plainly as can be, on random entries.

mod support;

use std::collections::BTreeMap;

use catga_core::{Offset, SessionId};
use catga_engine::{
    Applied, Directive, Effect, Engine, Entry, Limits, Lookup, MemoryState, State, Verdict,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use support::drafts::{self, KEYS, NAMES, NODES, Step};
use support::naive::Naive;
use support::{id, stream, tag};

fn engine(limits: Limits) -> Engine<MemoryState> {
    Engine::new(MemoryState::new(), limits)
}

fn apply(engine: &mut Engine<MemoryState>, entry: &Entry) -> Applied {
    let mut out = Applied::default();
    engine.apply(entry, &entry.encode(), &mut out).expect("an entry of this engine version");
    out
}

/// The entries that the steps come to.
fn entries(steps: &[Step], limits: Limits) -> Vec<Entry> {
    let mut model = Naive::new(limits);
    let entries = steps.iter().map(|step| {
        let entry = step.entry(&model);
        model.apply(&entry);
        entry
    });
    entries.collect()
}

fn compare(engine: &Engine<MemoryState>, model: &Naive) {
    assert_eq!(engine.offset().0, model.counted.len() as u64);
    assert_eq!(engine.time_ms(), model.time_ms);
    assert_eq!(engine.wall(), model.wall);
    assert_eq!(engine.version(), model.version());
    for name in NAMES {
        let (key, tag) = (stream(name), tag(name));
        let head = engine.state().get_stream(&key);
        let head = head.map(|head| (head.version, head.offset.0, head.writer));
        assert_eq!(head, model.head(&key), "the stream {name}");
        let record = engine.state().get_record(&key);
        let record = record.as_ref().map(|head| (head.offset.0, &*head.value));
        assert_eq!(record, model.record(&key), "the record {name}");
        assert_eq!(engine.state().get_tag(&tag), model.tag(&tag).map(Offset), "the tag {name}");
    }
    for node in NODES {
        for nonce in 0..4 {
            assert_eq!(engine.opened(node, nonce), model.opened(node, nonce), "{node} {nonce}");
        }
    }
    for session in (0..=model.counted.len() as u64 + 1).map(SessionId) {
        compare_session(engine, model, session);
    }
    for at in 0..KEYS.len() {
        let key = drafts::outside_key(at);
        for hash in 0..2 {
            let id = id(u64::MAX, 1);
            let found = engine.lookup(id, Some(&key), hash);
            assert_eq!(found, model.lookup(id, Some(&key), hash), "the key {key:?}");
        }
    }
}

fn compare_session(engine: &Engine<MemoryState>, model: &Naive, session: SessionId) {
    let info = engine.session(session);
    let node = model.node_of(session);
    assert_eq!(info.as_ref().map(|info| &*info.node), node, "{session:?}");
    let Some(info) = info else {
        return;
    };
    let mark = model.mark(session).0;
    assert_eq!(info.low_water, mark, "{session:?}");
    assert_eq!(info.ids, model.ids(session), "{session:?}");
    assert_eq!(info.kept, model.live_kept(session).len(), "{session:?}");
    for sequence in mark.saturating_sub(12)..mark + 8 {
        let id = id(session.0, sequence);
        for hash in 0..2 {
            for key in [None, Some(drafts::outside_key(0))] {
                let found = engine.lookup(id, key.as_ref(), hash);
                assert_eq!(found, model.lookup(id, key.as_ref(), hash), "{id} {key:?} {hash}");
            }
        }
    }
}

/// What happened to an effect, in words.
fn name(effect: &Effect, verdict: Verdict, before: &Engine<MemoryState>) -> String {
    let known = before.lookup(effect.id, None, effect.payload_hash) != Lookup::New;
    match (verdict, &effect.directive) {
        (Verdict::Counted { .. }, Some(Directive::RaiseEngine { .. })) => {
            "counted, raising the engine".to_owned()
        }
        (Verdict::Counted { .. }, Some(Directive::CloseSession { node })) => {
            let is_known = before.nodes().any(|known| **known == **node);
            if is_known { "counted, closing a session" } else { "counted, closing none" }.to_owned()
        }
        (Verdict::Counted { .. }, _) => {
            let session = before.session(effect.id.session);
            let below = session.is_some_and(|session| effect.id.sequence < session.low_water);
            if below { "counted, below the mark" } else { "counted" }.to_owned()
        }
        (Verdict::Duplicate { .. }, Some(Directive::OpenSession { .. })) => {
            "duplicate, opening".to_owned()
        }
        (Verdict::Duplicate { .. }, _) if !known => "duplicate, by key".to_owned(),
        (Verdict::Duplicate { .. }, _) => "duplicate".to_owned(),
        (Verdict::Conflict { condition, .. }, _) => {
            let condition = format!("{:?}", effect.conditions[condition as usize]);
            let kind = condition.split(' ').next().expect("a name");
            format!("conflict, {kind}")
        }
        (Verdict::Rejected(rejection), _) => format!("rejected, {rejection:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn decides_as_the_plain_model_does(limits in drafts::limits(), steps in drafts::steps(24)) {
        let (mut engine, mut model) = (engine(limits), Naive::new(limits));
        for step in &steps {
            let entry = step.entry(&model);
            let out = apply(&mut engine, &entry);
            let (verdicts, versions) = model.apply(&entry);
            prop_assert_eq!(&out.verdicts, &verdicts, "{:#?}", entry);
            prop_assert_eq!(&out.versions, &versions);
            compare(&engine, &model);
        }
    }

    #[test]
    fn restoring_on_the_way_changes_nothing(limits in drafts::limits(), steps in drafts::steps(24)) {
        let (mut whole, mut restored) = (engine(limits), engine(limits));
        for (step, entry) in steps.iter().zip(entries(&steps, limits)) {
            let (left, right) = (apply(&mut whole, &entry), apply(&mut restored, &entry));
            prop_assert_eq!(left, right);
            if step.restored {
                restored = Engine::restore(&restored.checkpoint(), limits).expect("our own bytes");
            }
            prop_assert_eq!(whole.hash(), restored.hash());
            prop_assert_eq!(whole.checkpoint(), restored.checkpoint());
        }
    }

    #[test]
    fn the_hash_tells_apart_what_counted_and_only_that(
        limits in drafts::limits(),
        steps in drafts::steps(8),
    ) {
        let entries = entries(&steps, limits);
        let counts = |applied: Applied| {
            applied.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Counted { .. }))
        };
        let mut engine = engine(limits);
        for entry in &entries {
            let (before, mut other) = (engine.hash(), engine.clone());
            let counted = counts(apply(&mut engine, entry));
            prop_assert_eq!(before != engine.hash(), counted, "{:#?}", entry);
            let changed = Entry { elapsed_ms: entry.elapsed_ms ^ 1, ..entry.clone() };
            let other_counted = counts(apply(&mut other, &changed));
            prop_assert_eq!(other.hash() != engine.hash(), counted || other_counted, "{:#?}", entry);
        }
    }
}

/// A run in which something never happened has shown nothing about it.
#[test]
fn random_entries_reach_every_verdict() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::<String, u32>::new();
    for _ in 0..300 {
        let strategy = (drafts::limits(), drafts::steps(24));
        let tree = strategy.new_tree(&mut runner).expect("nothing is filtered out");
        let (limits, steps) = tree.current();
        let mut engine = engine(limits);
        for entry in entries(&steps, limits) {
            let before = engine.clone();
            for (effect, verdict) in entry.effects.iter().zip(apply(&mut engine, &entry).verdicts) {
                *seen.entry(name(effect, verdict, &before)).or_default() += 1;
            }
        }
    }
    for expected in [
        "counted",
        "counted, raising the engine",
        "counted, closing a session",
        "counted, below the mark",
        "duplicate",
        "duplicate, opening",
        "duplicate, by key",
        "conflict, StreamAt",
        "conflict, StreamAbsent",
        "conflict, RecordAt",
        "conflict, TagQuiet",
        "conflict, WrittenBy",
        "rejected, Expired",
        "rejected, PayloadMismatch",
        "rejected, EngineVersion",
    ] {
        let times = seen.get(expected).copied().unwrap_or(0);
        assert!(times >= 10, "{expected}: {times} times of {seen:#?}");
    }
}
