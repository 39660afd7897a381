//! I8: the state after a snapshot and what came behind it equals that of all entries applied from
//! the first, in all that the engine decides by: sessions, ids, keys, streams, records with the
//! cursors in them; and two checkpoints up to one entry are equal in every byte.
//!
//! *Source.* The double execution after a snapshot that holds no table of what has counted; etcd
//! #17780 (a revision that went back with a compaction). *Observed:* every checkpoint that a node
//! writes, in all its lives, whatever it had begun with: a checkpoint, the snapshot of another node,
//! or nothing; and at the end the records at every node. An engine of the simulator's own applies
//! every entry that was ever applied. *When:* two checkpoints as the second is written, the replay at
//! the end, after an orderly stop has written the last ones.

use std::collections::BTreeMap;

use bytes::Bytes;
use catga_core::payload_hash;
use catga_engine::{Applied, Engine, Entry, Limits, MemoryState};
use catga_journal::{Journal, LogIndex};

use super::{Counted, Delivered, Evaluations, Invariant};
use crate::Violation;

/// The checkpoints that were written.
#[derive(Debug, Default)]
pub(crate) struct Snapshots(BTreeMap<LogIndex, Written>);

#[derive(Debug)]
struct Written {
    by: String,
    hash: u64,
    /// How many there were.
    count: u64,
}

impl Snapshots {
    /// The node called `name` writes a checkpoint of `engine` up to `index`.
    pub(crate) fn written(
        &mut self,
        name: &str,
        index: LogIndex,
        engine: &Bytes,
    ) -> Result<(), Violation> {
        let hash = payload_hash(engine);
        let new = || Written { by: name.to_owned(), hash, count: 0 };
        let written = self.0.entry(index).or_insert_with(new);
        written.count += 1;
        match written.hash == hash {
            true => Ok(()),
            false => {
                let what = format!("{} and {name} write two checkpoints at {index:?}", written.by);
                Err(Invariant::Snapshots.broken(what))
            }
        }
    }

    /// Applies every entry, compares with every checkpoint, and gives the engine; `counted` judges
    /// each verdict.
    pub(crate) fn replay(
        &self,
        delivered: &Delivered,
        limits: Limits,
        counted: &mut Counted,
        evaluated: &mut Evaluations,
    ) -> Result<Engine<MemoryState>, Violation> {
        let mut engine = Engine::new(MemoryState::new(), limits);
        let mut outcome = Applied::default();
        for (index, bytes) in delivered.entries() {
            let applied = Entry::decode(bytes).map_err(|error| error.to_string());
            let applied = applied.and_then(|entry| {
                let applied = engine.apply(&entry, bytes, &mut outcome);
                applied.map(|()| entry).map_err(|error| error.to_string())
            });
            let entry = applied.map_err(|error| {
                let what = format!("the entry at {index:?} cannot be applied: {error}");
                Invariant::Snapshots.broken(what)
            })?;
            for (effect, verdict) in entry.effects.iter().zip(&outcome.verdicts) {
                let (time_ms, retention_ms) = (engine.time_ms(), limits.key_retention_ms);
                counted.judge(effect, *verdict, time_ms, retention_ms, evaluated)?;
            }
            let Some(written) = self.0.get(&index) else { continue };
            (0..written.count).for_each(|_| evaluated.count(Invariant::Snapshots));
            if payload_hash(&engine.without_heads().checkpoint()) != written.hash {
                let by = &written.by;
                let what = format!("a checkpoint of {by} at {index:?} is not what a replay gives");
                return Err(Invariant::Snapshots.broken(what));
            }
        }
        Ok(engine)
    }
}

/// The records and streams at a node are those of the replay.
pub(crate) async fn is_replayed(
    name: &str,
    journal: &dyn Journal,
    engine: &Engine<MemoryState>,
    evaluated: &mut Evaluations,
) -> Result<(), Violation> {
    for (key, head) in engine.state().records() {
        evaluated.count(Invariant::Snapshots);
        let there = journal.record(key).await;
        if !matches!(&there, Ok(Some(there)) if there == head) {
            let what = format!("{name} has {there:?} as record {key}, and a replay {head:?}");
            return Err(Invariant::Snapshots.broken(what));
        }
    }
    Ok(())
}
