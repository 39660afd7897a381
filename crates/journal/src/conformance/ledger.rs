use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};

use super::report::ensure;
use super::{Recorder, Violation};
use crate::LogIndex;

/// What became of every append of a check, as its callers saw it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Arc<Mutex<Appends>>);

#[derive(Debug, Default)]
struct Appends {
    /// By entry; all entries differ.
    answers: HashMap<Bytes, Answer>,
    acknowledged: u64,
    /// The highest index that was acknowledged.
    highest: LogIndex,
}

/// How an append was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Not yet, or in doubt.
    Unknown,
    Acknowledged(LogIndex),
    Refused,
}

impl Ledger {
    /// An entry that no other append has, of `length` bytes if that is enough to tell it apart.
    pub(super) fn entry(&self, length: usize) -> Bytes {
        let mut appends = self.lock();
        let number = appends.answers.len() as u64;
        let mut entry = BytesMut::with_capacity(length.max(8));
        entry.put_u64_le(number);
        // Every byte value, so that text or escapes on the way would show.
        while entry.len() < length {
            entry.put_u8((entry.len() as u64 ^ number) as u8);
        }
        let entry = entry.freeze();
        appends.answers.insert(entry.clone(), Answer::Unknown);
        entry
    }

    /// Notes an entry that the check has made itself.
    pub(super) fn note(&self, entry: &Bytes) {
        self.lock().answers.insert(entry.clone(), Answer::Unknown);
    }

    pub(super) fn answered(&self, entry: &Bytes, answer: Answer) {
        let mut appends = self.lock();
        appends.answers.insert(entry.clone(), answer);
        if let Answer::Acknowledged(index) = answer {
            appends.acknowledged += 1;
            appends.highest = appends.highest.max(index);
        }
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.lock().acknowledged
    }

    /// What every read index from now on must cover.
    pub(super) fn highest(&self) -> LogIndex {
        self.lock().highest
    }

    /// Holds what `nodes` nodes were given against what callers were told. All nodes must have
    /// been brought up to date before.
    pub(super) fn judge(&self, recorder: &Recorder, nodes: usize) -> Result<(), Violation> {
        let violations = recorder.violations();
        ensure!(1, violations.is_empty(), "{}", violations.join("; "));
        let order = recorder.delivered(0);
        for node in 1..nodes {
            let other = recorder.delivered(node);
            let differs = order.iter().zip(&other).position(|(a, b)| a != b);
            ensure!(
                1,
                order == other,
                "node 0 holds {} entries and node {node} {}, which differ first at {differs:?}",
                order.len(),
                other.len()
            );
        }
        for (node, life) in recorder.lives() {
            ensure!(
                1,
                order.starts_with(&life),
                "a life of node {node} was given what is not in the final order"
            );
        }
        let mut delivered = HashMap::new();
        let appends = self.lock();
        for entry in &order {
            let again = delivered.insert(&entry.entry, entry.index);
            ensure!(1, again.is_none(), "{:?} was delivered twice", entry.index);
            let known = appends.answers.contains_key(&entry.entry);
            ensure!(2, known, "nobody appended what is at {:?}", entry.index);
        }
        for (entry, answer) in &appends.answers {
            match (answer, delivered.get(entry)) {
                (Answer::Acknowledged(index), found) => ensure!(
                    3,
                    found == Some(index),
                    "an entry acknowledged at {index:?} is at {found:?}"
                ),
                (Answer::Refused, Some(index)) => {
                    return Err(Violation::new(
                        4,
                        format_args!("a refused entry was delivered at {index:?}"),
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Appends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
