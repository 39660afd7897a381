//! One test for each rule by which the engine decides.

mod support;

use catga_core::{Condition, Offset, SessionId};
use catga_engine::{
    ApplyError, Directive, ENGINE_VERSION, Effect, Engine, Entry, Limits, Lookup, MemoryState,
    RecordedAnswer, State,
};

use support::{
    Bench, EXPIRED, MISMATCH, VERSION, attempt, conflict, counted, duplicate, effect, event, id,
    key, keyed, of, opening, stream, tag, under, wall, write,
};

fn small() -> Limits {
    Limits { key_retention_ms: 100, kept_retention_ms: 100, kept: 2 }
}

fn known(offset: u64) -> Lookup {
    Lookup::Known { offset: Offset(offset) }
}

/// What is known of the sequences 1, 2, … of session 1.
fn lookups(bench: &Bench, sequences: u64) -> Vec<Lookup> {
    let sequences = 1..=sequences;
    sequences.map(|sequence| bench.engine.lookup(id(1, sequence), None, 0)).collect()
}

#[test]
fn offsets_count_the_effects_that_count_without_a_gap() {
    let mut bench = Bench::open(small());
    let absent = Condition::RecordAt { key: stream("x"), offset: Some(Offset(9)) };
    let refused = Effect { answer: RecordedAnswer::Refusal("no".into()), ..effect(2) };
    let verdicts = bench.all(vec![effect(1), effect(1), under(3, absent), of(9, 1), refused]);
    assert_eq!(verdicts, [counted(2), duplicate(2), conflict(0, 0), EXPIRED, counted(3)]);
    assert_eq!(bench.engine.offset(), Offset(3));
}

#[test]
fn a_conflict_leaves_no_trace_of_the_id_or_the_key() {
    let mut bench = Bench::open(small());
    let absent = Condition::StreamAbsent { stream: stream("x") };
    let created = Effect { events: vec![event("x", &[])], ..effect(1) };
    assert_eq!(bench.one(created), counted(2));
    let late = Effect {
        conditions: vec![absent],
        low_water: 9,
        events: vec![event("x", &["y"])],
        records: vec![write("x", Some("1"))],
        ..keyed(2, "k")
    };
    assert_eq!(bench.one(late), conflict(0, 2));
    assert_eq!(bench.engine.lookup(id(1, 2), Some(&key("k")), 0), Lookup::New);
    assert_eq!(bench.engine.state().get_stream(&stream("x")).map(|head| head.version), Some(1));
    assert_eq!(bench.engine.state().get_record(&stream("x")), None);
    assert_eq!(bench.engine.state().get_tag(&tag("y")), None);
    assert_eq!(bench.engine.session(SessionId(1)).map(|session| session.low_water), Some(0));
    assert_eq!(bench.one(keyed(2, "k")), counted(3));
}

#[test]
fn a_duplicate_wins_over_conditions_and_another_payload_over_both() {
    let mut bench = Bench::open(small());
    let create = Effect {
        conditions: vec![Condition::StreamAbsent { stream: stream("x") }],
        events: vec![event("x", &[])],
        ..effect(1)
    };
    let other = Effect { payload_hash: 1, ..create.clone() };
    let verdicts = bench.all(vec![create.clone(), create.clone(), other]);
    assert_eq!(verdicts, [counted(2), duplicate(2), MISMATCH]);
    assert_eq!(bench.engine.lookup(create.id, None, 0), known(2));
    assert_eq!(bench.engine.lookup(create.id, None, 1), Lookup::PayloadMismatch);
}

#[test]
fn a_key_is_an_alias_of_the_id_that_was_minted_for_it() {
    let mut bench = Bench::open(small());
    let other = Effect { payload_hash: 1, ..keyed(3, "k") };
    let verdicts = bench.all(vec![keyed(1, "k"), keyed(2, "k"), other, keyed(2, "l")]);
    assert_eq!(verdicts, [counted(2), duplicate(2), MISMATCH, counted(3)]);
    assert_eq!(bench.engine.alias(&key("k")), Some(id(1, 1)));
    let scoped = catga_engine::OutsideKey { scope: "someone else".to_owned(), ..key("k") };
    assert_eq!(bench.engine.lookup(id(1, 9), Some(&scoped), 0), Lookup::New);
}

#[test]
fn an_id_is_asked_before_a_key() {
    let mut bench = Bench::open(small());
    bench.all(vec![keyed(1, "k"), effect(2)]);
    // Its own id has counted, so whatever the key says, it has counted.
    assert_eq!(bench.one(keyed(2, "k")), duplicate(3));
    assert_eq!(bench.one(Effect { payload_hash: 1, ..keyed(2, "l") }), MISMATCH);
}

#[test]
fn a_key_outlives_the_mark_and_the_session_of_its_id() {
    let mut bench = Bench::open(small());
    bench.all(vec![keyed(1, "k"), Effect { low_water: 2, ..effect(2) }]);
    assert_eq!(bench.engine.lookup(id(1, 1), None, 0), Lookup::Expired);
    assert_eq!(bench.engine.lookup(id(1, 1), Some(&key("k")), 0), known(2));
    assert_eq!(bench.one(opening("a", 2)), counted(4));
    assert_eq!(bench.one(keyed(1, "k")), duplicate(2));
    assert_eq!(bench.one(Effect { payload_hash: 1, ..keyed(1, "k") }), MISMATCH);
}

#[test]
fn keys_are_retained_for_their_time() {
    let mut bench = Bench::open(small());
    bench.one(keyed(1, "k"));
    bench.pass(60);
    let verdicts = bench.all(vec![keyed(2, "l"), keyed(3, "k"), effect(4)]);
    assert_eq!(verdicts, [counted(3), duplicate(2), counted(4)]);
    bench.pass(39);
    assert_eq!(bench.engine.lookup(id(1, 9), Some(&key("k")), 0), known(2));
    bench.pass(1);
    assert_eq!(bench.engine.lookup(id(1, 9), Some(&key("k")), 0), Lookup::New);
    assert_eq!(bench.engine.lookup(id(1, 9), Some(&key("l")), 0), known(3));
}

#[test]
fn keys_have_room_where_there_are_fewer_or_some_are_over() {
    let mut bench = Bench::open(small());
    bench.one(keyed(1, "k"));
    bench.pass(60);
    bench.one(keyed(2, "l"));
    let have_room = |bench: &Bench, most, ahead_ms| bench.engine.keys(ahead_ms).have_room(most);
    assert!(have_room(&bench, 3, 0) && !have_room(&bench, 2, 39));
    // However few there may be here: elsewhere there was room.
    assert!(have_room(&bench, 1, 40));
    bench.pass(40);
    assert!(!have_room(&bench, 1, 0), "the oldest is gone, and one is left");
}

#[test]
fn a_key_may_be_used_again_after_its_time() {
    let mut bench = Bench::open(small());
    bench.one(keyed(1, "k"));
    bench.pass(100);
    assert_eq!(bench.one(keyed(2, "k")), counted(3));
    bench.pass(99);
    assert_eq!(bench.one(keyed(3, "k")), duplicate(3));
}

#[test]
fn many_keys_that_expire_at_once_are_all_over() {
    let limits = small();
    let mut bench = Bench::open(limits);
    let name = |sequence: u64| format!("k{sequence}");
    bench.all((1..=1000).map(|sequence| keyed(sequence, &name(sequence))).collect());
    // More than one entry purges, so the youngest are used again before they are purged.
    bench.pass(100);
    let again: Vec<_> = (1..=1000).rev().map(|it| keyed(3000 - it, &name(it))).collect();
    assert!(bench.all(again).iter().zip(1002..).all(|(verdict, at)| *verdict == counted(at)));
    assert_eq!(bench.engine.keys(0).count, 1000, "each counts once, though it stands there twice");
    for it in 1..=1000 {
        let found = bench.engine.lookup(id(1, 9999), Some(&key(&name(it))), 0);
        assert_eq!(found, known(2002 - it), "{it}");
    }
    let restored = Engine::restore(&bench.engine.checkpoint(), limits).expect("our own bytes");
    assert_eq!(restored.checkpoint(), bench.engine.checkpoint());
}

#[test]
fn each_condition_holds_or_names_what_it_conflicts_with() {
    let mut bench = Bench::open(small());
    let written = Effect {
        events: vec![event("x", &["t"]), event("x", &[])],
        records: vec![write("r", Some("1"))],
        ..effect(1)
    };
    assert_eq!(bench.one(written.clone()), counted(2));
    assert_eq!(bench.out.versions, [1, 2]);
    let at = |name, version| Condition::StreamAt { stream: stream(name), version };
    let absent = |name| Condition::StreamAbsent { stream: stream(name) };
    let record = |name, offset: Option<u64>| {
        let offset = offset.map(Offset);
        Condition::RecordAt { key: stream(name), offset }
    };
    let quiet = |name, after| Condition::TagQuiet { tag: tag(name), after: Offset(after) };
    let by = |name, attempt| Condition::WrittenBy { stream: stream(name), attempt };
    for holds in [
        at("x", 2),
        at("none", 0),
        absent("none"),
        record("r", Some(2)),
        record("none", None),
        quiet("t", 2),
        quiet("t", 3),
        quiet("none", 0),
        by("x", written.attempt),
    ] {
        let sequence = bench.engine.offset().0;
        let offset = counted(sequence + 1);
        assert_eq!(bench.one(under(sequence, holds.clone())), offset, "{holds:?}");
    }
    for (fails, at) in [
        (at("x", 1), 2),
        (at("x", 3), 2),
        (at("none", 1), 0),
        (absent("x"), 2),
        (record("r", None), 2),
        (record("r", Some(1)), 2),
        (record("none", Some(2)), 0),
        (quiet("t", 1), 2),
        (by("x", attempt(id(1, 1), 2)), 2),
        (by("x", attempt(id(1, 2), 1)), 2),
        (by("none", attempt(id(1, 1), 1)), 0),
    ] {
        assert_eq!(bench.one(under(99, fails.clone())), conflict(0, at), "{fails:?}");
        // The first that fails names the conflict.
        let both = Effect { conditions: vec![absent("none"), fails, absent("x")], ..effect(99) };
        assert_eq!(bench.one(both), conflict(1, at));
    }
}

#[test]
fn a_record_is_written_and_deleted_with_the_offset_of_its_effect() {
    let mut bench = Bench::open(small());
    let records = vec![write("r", Some("1")), write("r", Some("2"))];
    bench.one(Effect { records, ..effect(1) });
    let head = bench.engine.state().get_record(&stream("r")).expect("it was written");
    assert_eq!((head.offset, &*head.value), (Offset(2), &b"2"[..]));
    bench.one(Effect { records: vec![write("r", None)], ..effect(2) });
    assert_eq!(bench.engine.state().get_record(&stream("r")), None);
}

#[test]
fn opening_a_session_closes_the_former_one_of_its_node() {
    let mut bench = Bench::new(small());
    let verdicts = bench.all(vec![opening("a", 7), of(1, 1), opening("b", 7), of(3, 1)]);
    assert_eq!(verdicts, [counted(1), counted(2), counted(3), counted(4)]);
    let verdicts = bench.all(vec![opening("a", 8), of(1, 1), of(1, 2), of(5, 1), of(3, 2)]);
    assert_eq!(verdicts, [counted(5), EXPIRED, EXPIRED, counted(6), counted(7)]);
    assert_eq!(bench.engine.session(SessionId(1)), None);
    let session = bench.engine.session(SessionId(5)).expect("it is open");
    assert_eq!((&*session.node, session.low_water, session.ids, session.kept), ("a", 0, 1, 0));
}

#[test]
fn a_retried_opening_is_a_duplicate_even_after_a_newer_start() {
    let mut bench = Bench::new(small());
    let verdicts = bench.all(vec![opening("a", 7), opening("a", 7), opening("b", 7)]);
    assert_eq!(verdicts, [counted(1), duplicate(1), counted(2)]);
    let verdicts = bench.all(vec![opening("a", 8), opening("a", 7), of(3, 1)]);
    assert_eq!(verdicts, [counted(3), duplicate(1), counted(4)]);
    assert_eq!(bench.engine.opened("a", 7), Some(Offset(1)));
    assert_eq!(bench.engine.lookup(id(0, 7), None, 0), Lookup::New);
}

#[test]
fn the_last_64_starts_of_a_node_are_remembered() {
    let mut bench = Bench::new(small());
    bench.all((1..=65).map(|nonce| opening("a", nonce)).collect());
    assert_eq!(bench.one(opening("a", 2)), duplicate(2));
    assert_eq!(bench.one(opening("a", 1)), counted(66));
}

#[test]
fn only_an_opening_has_an_id_of_session_zero_and_it_is_its_nonce() {
    let mut bench = Bench::open(small());
    let misnumbered = Effect { id: id(0, 3), ..opening("b", 2) };
    let in_session = Effect { id: id(1, 2), ..opening("b", 2) };
    let verdicts = bench.all(vec![of(0, 1), misnumbered, in_session, opening("b", 2)]);
    assert_eq!(verdicts, [EXPIRED, EXPIRED, EXPIRED, counted(2)]);
}

#[test]
fn the_mark_forgets_what_is_below_and_never_goes_back() {
    let mut bench = Bench::open(small());
    bench.all(vec![effect(1), effect(3), Effect { low_water: 4, ..effect(5) }]);
    use Lookup::{Expired, New};
    assert_eq!(lookups(&bench, 5), [Expired, Expired, Expired, New, known(4)]);
    let verdicts = bench.all(vec![effect(2), Effect { low_water: 2, ..effect(4) }]);
    assert_eq!(verdicts, [EXPIRED, counted(5)]);
    assert_eq!(bench.engine.session(SessionId(1)).map(|session| session.low_water), Some(4));
    // The mark may pass the effect that carries it.
    assert_eq!(bench.one(Effect { low_water: 9, ..effect(6) }), counted(6));
    assert_eq!(bench.engine.lookup(id(1, 6), None, 0), Expired);
}

#[test]
fn kept_ids_stay_below_the_mark_for_their_time() {
    let mut bench = Bench::open(small());
    let settle = Effect { low_water: 4, kept: vec![2, 1, 2, 9], ..effect(4) };
    bench.all(vec![effect(1), effect(3), settle]);
    use Lookup::{Expired, New};
    assert_eq!(lookups(&bench, 4), [known(2), New, Expired, known(4)]);
    assert_eq!(bench.engine.session(SessionId(1)).map(|session| session.kept), Some(2));
    // One that had not counted may still, once.
    let other = Effect { payload_hash: 1, ..effect(1) };
    let verdicts = bench.all(vec![effect(1), effect(2), effect(2), other]);
    assert_eq!(verdicts, [duplicate(2), counted(5), duplicate(5), MISMATCH]);
    bench.pass(99);
    assert_eq!(lookups(&bench, 3), [known(2), known(5), Expired]);
    bench.pass(1);
    assert_eq!(lookups(&bench, 3), [Expired, Expired, Expired]);
    assert_eq!(bench.one(effect(2)), EXPIRED);
    assert_eq!(bench.engine.session(SessionId(1)).map(|session| session.kept), Some(0));
}

#[test]
fn what_a_mark_has_passed_never_comes_back() {
    let mut bench = Bench::open(small());
    bench.one(Effect { low_water: 5, ..effect(5) });
    bench.one(Effect { low_water: 7, kept: vec![1, 2], ..effect(6) });
    assert_eq!(bench.engine.session(SessionId(1)).map(|session| session.kept), Some(0));
    assert_eq!(bench.one(effect(2)), EXPIRED);
}

#[test]
fn the_mark_waits_at_the_first_kept_id_for_which_there_is_no_room() {
    let mut bench = Bench::open(small());
    bench.one(Effect { low_water: 9, kept: vec![7, 2, 5, 3], ..effect(5) });
    let session = bench.engine.session(SessionId(1)).expect("it is open");
    assert_eq!((session.low_water, session.kept, session.ids), (5, 2, 1));
    // It goes on when there is room again.
    bench.pass(100);
    bench.one(Effect { low_water: 9, kept: vec![5, 7], ..effect(9) });
    let session = bench.engine.session(SessionId(1)).expect("it is open");
    assert_eq!((session.low_water, session.kept, session.ids), (9, 2, 1));
    assert_eq!(bench.one(effect(5)), duplicate(2));
}

#[test]
fn where_nothing_is_kept_for_any_time_the_mark_does_not_wait() {
    let mut bench = Bench::open(Limits { kept_retention_ms: 0, kept: 0, ..small() });
    bench.one(Effect { low_water: 9, kept: vec![2], ..effect(5) });
    assert_eq!(bench.engine.session(SessionId(1)).map(|session| session.low_water), Some(9));
}

#[test]
fn ids_that_arrive_out_of_order_are_found() {
    let mut bench = Bench::open(small());
    let order = [5, 1, 3, 9, 2, 4];
    bench.all(order.into_iter().map(effect).collect());
    let again = bench.all(order.into_iter().map(effect).collect()).to_vec();
    assert_eq!(again, (2..8).map(duplicate).collect::<Vec<_>>());
    assert_eq!(bench.one(effect(6)), counted(8));
}

#[test]
fn journal_time_adds_up_and_the_wall_never_goes_back() {
    let mut bench = Bench::new(small());
    for (elapsed_ms, at) in [(5, 70), (7, 60), (u64::MAX, 80)] {
        bench.entry(&Entry { elapsed_ms, wall: wall(at), ..Entry::default() });
        assert_eq!(bench.engine.wall(), wall(at.max(70)));
    }
    assert_eq!(bench.engine.time_ms(), u64::MAX);
}

#[test]
fn an_entry_of_a_newer_engine_changes_nothing() {
    let mut bench = Bench::open(small());
    let before = bench.engine.checkpoint();
    let effects = vec![effect(1)];
    let entry = Entry { engine: ENGINE_VERSION + 1, elapsed_ms: 5, wall: wall(5), effects };
    let refused = bench.engine.apply(&entry, &entry.encode(), &mut bench.out);
    assert_eq!(refused, Err(ApplyError::NewerEngine { entry: ENGINE_VERSION + 1 }));
    assert!(bench.out.verdicts.is_empty());
    assert_eq!(bench.engine.checkpoint(), before);
}

#[test]
fn the_engine_is_raised_only_as_far_as_the_entry_says() {
    let mut bench = Bench::open(small());
    let raise = |sequence, to| Effect {
        directive: Some(Directive::RaiseEngine { to }),
        ..effect(sequence)
    };
    let verdicts = bench.all(vec![raise(1, ENGINE_VERSION + 1), raise(1, 1), raise(2, 0)]);
    assert_eq!(verdicts, [VERSION, counted(2), counted(3)]);
    assert_eq!(bench.engine.version(), 1);
    let older = Entry { engine: 0, effects: vec![raise(3, 1)], ..Entry::default() };
    assert_eq!(bench.entry(&older), [VERSION]);
}

#[test]
fn a_session_that_is_closed_is_forgotten_and_another_is_opened() {
    let mut bench = Bench::open(small());
    bench.one(opening("b", 7));
    bench.one(effect(1));
    let close = |session, sequence, node: &str| Effect {
        directive: Some(Directive::CloseSession { node: node.to_owned() }),
        ..of(session, sequence)
    };
    assert_eq!(bench.one(close(2, 1, "a")), VERSION, "not by the first rules");
    let second = |effects| Entry { engine: 2, effects, ..Entry::default() };
    let verdicts = bench.entry(&second(vec![close(2, 1, "a"), effect(1), effect(2)]));
    assert_eq!(verdicts, [counted(4), EXPIRED, EXPIRED]);
    assert_eq!(bench.engine.session(SessionId(1)), None);
    assert_eq!(bench.engine.nodes().map(|node| &**node).collect::<Vec<_>>(), ["b"]);
    // Whoever is not there is closed without harm, and a start is not taken for one of long ago.
    let verdicts = bench.entry(&second(vec![close(2, 2, "a"), opening("a", 1), of(6, 1)]));
    assert_eq!(verdicts, [counted(5), counted(6), counted(7)]);
    let restored = Engine::restore(&bench.engine.checkpoint(), small()).expect("our own bytes");
    assert_eq!(restored.session(SessionId(6)), bench.engine.session(SessionId(6)));
}

#[test]
fn there_is_one_hash_for_each_offset() {
    let mut bench = Bench::open(small());
    let mut out = catga_engine::Applied::default();
    let entry = Entry {
        effects: vec![Effect { events: vec![event("x", &[])], ..effect(1) }],
        ..Entry::default()
    };
    bench.engine.apply(&entry, b"first", &mut out).expect("this version");
    let once = (bench.engine.offset(), bench.engine.hash());
    // The same again counts for nothing, and so it leaves no trace.
    bench.engine.apply(&entry, b"second", &mut out).expect("this version");
    assert!(
        matches!(out.verdicts[..], [catga_engine::Verdict::Duplicate { .. }]),
        "{:?}",
        out.verdicts
    );
    assert_eq!((bench.engine.offset(), bench.engine.hash()), once);
    let other = Entry { effects: vec![effect(2)], ..Entry::default() };
    bench.engine.apply(&other, b"third", &mut out).expect("this version");
    assert_ne!(bench.engine.hash(), once.1);
}

#[test]
fn the_hash_covers_what_came_of_an_entry() {
    // The same bytes for both, but one knows the stream already.
    let entry = Entry {
        effects: vec![Effect { events: vec![event("x", &[])], ..effect(2) }],
        ..Entry::default()
    };
    let hash = |first: Effect| {
        let mut bench = Bench::open(small());
        let mut out = catga_engine::Applied::default();
        let first = Entry { effects: vec![first], ..Entry::default() };
        bench.engine.apply(&first, b"the same", &mut out).expect("this version");
        let before = bench.engine.hash();
        bench.engine.apply(&entry, b"the same", &mut out).expect("this version");
        (before, bench.engine.hash())
    };
    let other = Effect { events: vec![event("y", &[])], ..effect(1) };
    let same = Effect { events: vec![event("x", &[])], ..effect(1) };
    let (left, right) = (hash(other), hash(same));
    assert_eq!(left.0, right.0);
    assert_ne!(left.1, right.1);
    let empty = Engine::new(MemoryState::new(), small());
    assert_eq!(empty.hash(), 0);
}
