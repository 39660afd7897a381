//! I3: all nodes hold the same effects in the same order, and what is committed never changes.
//!
//! *Source.* etcd #13766 (nodes at one revision with different data); log matching, in the Raft
//! paper and in openraft's own simulator. *Observed:* the rolling hash of every node at every offset
//! at which it is seen, in all its lives, and the bytes of every entry that a node applies, each
//! against whoever came there first; offsets rise and versions have no hole. *When:* each tick for
//! hashes, at each entry that is applied, and at the end for histories, of a lone node at every
//! start.

use std::collections::BTreeMap;

use bytes::Bytes;
use catga_core::{Offset, RecordedEvent};
use catga_journal::LogIndex;

use super::{Evaluations, Invariant};
use crate::Violation;

/// The rolling hash at each offset, and which node was seen there first.
#[derive(Debug, Default)]
pub(crate) struct Hashes(BTreeMap<Offset, (u64, String)>);

impl Hashes {
    /// The node called `name` stands at `offset` with `hash`.
    pub(crate) fn look(
        &mut self,
        name: impl FnOnce() -> String,
        (offset, hash): (Offset, u64),
        evaluated: &mut Evaluations,
    ) -> Result<(), Violation> {
        if offset == Offset::ZERO {
            return Ok(());
        }
        evaluated.count(Invariant::OneOrder);
        let Some((known, by)) = self.0.get(&offset) else {
            self.0.insert(offset, (hash, name()));
            return Ok(());
        };
        match *known == hash {
            true => Ok(()),
            false => {
                let what = format!("at {offset} {by} has {known:x} and {} {hash:x}", name());
                Err(Invariant::OneOrder.broken(what))
            }
        }
    }
}

/// Every entry that was ever applied, by its number, with the term that it is of.
#[derive(Debug, Default)]
pub(crate) struct Delivered(BTreeMap<u64, (u64, Bytes)>);

impl Delivered {
    /// The node called `name` has applied `entry` at `index`.
    pub(crate) fn applied(
        &mut self,
        name: &str,
        index: LogIndex,
        entry: &Bytes,
        evaluated: &mut Evaluations,
    ) -> Result<(), Violation> {
        evaluated.count(Invariant::OneOrder);
        let (term, known) =
            self.0.entry(index.index).or_insert_with(|| (index.term, entry.clone()));
        match *term == index.term && known == entry {
            true => Ok(()),
            false => {
                let what = format!("{name} applies another entry at {index:?} than of term {term}");
                Err(Invariant::OneOrder.broken(what))
            }
        }
    }

    /// All of them in their order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (LogIndex, &Bytes)> {
        self.0.iter().map(|(index, (term, entry))| (LogIndex { term: *term, index: *index }, entry))
    }
}

/// An event does not stand before the one that came before it.
pub(crate) fn is_in_order(last: Offset, event: &RecordedEvent) -> Result<(), Violation> {
    let position = event.meta.position.offset;
    match position < last {
        true => {
            let what = format!("the history goes back from {last} to {position}");
            Err(Invariant::OneOrder.broken(what))
        }
        false => Ok(()),
    }
}
