use std::collections::HashSet;
use std::sync::Arc;

use catga_core::{Offset, RecordedEvent};
use catga_engine::{Applied, Engine, Entry, Limits, MemoryState, Verdict};

use super::random_effects::{random_effect, random_records};
use super::replica::options;
use super::scripted::{Scripted, scripted};
use crate::conformance::effects::open_session;
use crate::conformance::{Random, read_all};
use crate::{Journal, LogSnapshot, Replica, ReplicaOptions};

const SEEDS: u64 = 40;

/// A journal with random effects in it, committed a few at a time, and the verdicts on them.
async fn random_journal(random: &mut Random) -> (Arc<Replica<Scripted>>, Vec<Verdict>) {
    let journal = scripted(fixed()).await;
    let session = open_session(&*journal, 1).await.unwrap();
    let mut verdicts = vec![Verdict::Counted { offset: Offset(1) }];
    for _ in 0..random.below(30) {
        let count = 1 + random.below(10);
        let effects = (0..count).map(|_| random_effect(random, session));
        let pending: Vec<_> = effects.map(|effect| journal.commit(effect)).collect();
        for pending in pending {
            verdicts.push(pending.await.unwrap().verdict);
        }
    }
    (journal, verdicts)
}

fn fixed() -> ReplicaOptions {
    options().with_incarnation(7)
}

/// Everything that a reader can see of a journal.
pub(crate) async fn seen(journal: &dyn Journal) -> (Offset, u64, Vec<RecordedEvent>, Vec<String>) {
    let (offset, hash) = journal.rolling_hash();
    assert_eq!(journal.applied().get(), offset);
    let mut outcomes = Vec::new();
    for offset in 1..=offset.0 {
        outcomes.push(format!("{:?}", journal.outcome(Offset(offset)).await.unwrap()));
    }
    for key in random_records() {
        outcomes.push(format!("{key}: {:?}", journal.record(&key).await.unwrap()));
    }
    (offset, hash, read_all(journal, 10).await.unwrap(), outcomes)
}

#[tokio::test]
async fn a_replica_decides_what_the_engine_alone_decides() {
    let mut kinds = HashSet::new();
    for seed in 0..SEEDS {
        let (journal, verdicts) = random_journal(&mut Random::new(seed)).await;
        let mut engine = Engine::new(MemoryState::new(), Limits::default());
        let (mut out, mut alone, mut versions) = (Applied::default(), Vec::new(), Vec::new());
        for delivered in journal.log().delivered() {
            let entry = Entry::decode(&delivered.entry).unwrap();
            engine.apply(&entry, &delivered.entry, &mut out).unwrap();
            alone.extend_from_slice(&out.verdicts);
            versions.extend_from_slice(&out.versions);
        }
        assert_eq!(alone, verdicts, "seed {seed}");
        kinds.extend(verdicts.iter().map(std::mem::discriminant));
        assert_eq!(journal.rolling_hash(), (engine.offset(), engine.hash()));
        let events = read_all(&*journal, 10).await.unwrap();
        let recorded: Vec<_> = events.iter().map(|event| event.meta.version).collect();
        assert_eq!(recorded, versions, "seed {seed}");
    }
    assert_eq!(kinds.len(), 4, "every kind of verdict was given");
}

#[tokio::test]
async fn a_snapshot_and_the_tail_equal_all_entries() {
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let (journal, _) = random_journal(&mut random).await;
        let entries = journal.log().delivered();
        let (head, tail) = entries.split_at(random.below(entries.len() + 1));
        let half = scripted(fixed()).await;
        half.log().apply(head).unwrap();
        let restored = scripted(fixed()).await;
        // What it held before must not shine through.
        let less = random.below(head.len() + 1);
        restored.log().apply(&head[..less]).unwrap();
        restored.log().install(half.log().snapshot()).unwrap();
        assert_eq!(seen(&*restored).await, seen(&*half).await, "seed {seed}");
        restored.log().apply(tail).unwrap();
        assert_eq!(seen(&*restored).await, seen(&*journal).await, "seed {seed}");
        let (one, other) = (restored.log().snapshot(), journal.log().snapshot());
        assert_eq!(one, other, "seed {seed}: equal states give equal bytes");
        let next = random_effect(&mut random, catga_core::SessionId(1));
        let (one, other) = (restored.commit(next.clone()).await, journal.commit(next).await);
        assert_eq!(one, other, "seed {seed}");
    }
}

#[tokio::test]
async fn a_damaged_or_older_snapshot_leaves_the_state_as_it_was() {
    let mut random = Random::new(3);
    let (journal, _) = random_journal(&mut random).await;
    let before = seen(&*journal).await;
    let good = journal.log().snapshot();
    for _ in 0..200 {
        let mut data = good.data.to_vec();
        let place = random.below(data.len());
        match random.below(2) {
            0 => data[place] ^= 1 << random.below(8),
            _ => data.truncate(place),
        }
        let data = data.into();
        assert!(journal.log().install(LogSnapshot { data, ..good }).is_err());
    }
    let empty = scripted(fixed()).await;
    assert!(journal.log().install(empty.log().snapshot()).is_err());
    assert_eq!(seen(&*journal).await, before);
    journal.log().install(good).unwrap();
    assert_eq!(seen(&*journal).await, before);
}
