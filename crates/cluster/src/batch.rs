use std::io;

use bytes::Bytes;
use catga_journal::{Applier, Delivered, LogIndex};
use openraft::storage::ApplyResponder;

use crate::{LogId, TypeConfig};

/// At most so many entries are applied at once, so that a long log replayed at a start does not
/// collect in memory.
const ENTRIES_MAX: usize = 1024;
/// And at most about so many bytes, for the same reason.
const BYTES_MAX: usize = 4 << 20;

/// Committed entries on their way to the applier, with those who wait for them.
#[derive(Default)]
pub(crate) struct Batch {
    entries: Vec<Delivered>,
    answers: Vec<ApplyResponder<TypeConfig>>,
    bytes: usize,
}

impl Batch {
    /// Adds an entry of the application.
    pub(crate) fn push(&mut self, id: &LogId, entry: Bytes) {
        self.bytes += entry.len();
        let index = log_index(id);
        self.entries.push(Delivered { index, entry });
    }

    /// Adds somebody who waits until everything that was pushed before is applied.
    pub(crate) fn answer(&mut self, answer: ApplyResponder<TypeConfig>) {
        self.answers.push(answer);
    }

    /// True if there is nobody to answer and nothing to apply.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.answers.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= ENTRIES_MAX || self.bytes >= BYTES_MAX
    }

    /// Applies what the applier does not hold yet, and then answers.
    ///
    /// An applier that kept more than the last snapshot is ahead of the log when the log is
    /// replayed: what it holds was committed, so it is the same.
    pub(crate) fn apply(&mut self, applier: &mut dyn Applier) -> io::Result<()> {
        let held = applier.applied();
        let new = self.entries.partition_point(|delivered| Some(delivered.index) <= held);
        if let Some(entries) = self.entries.get(new..).filter(|new| !new.is_empty()) {
            applier.apply(entries).map_err(io::Error::other)?;
        }
        self.entries.clear();
        self.bytes = 0;
        // After the state has them: delivery precedes the answer.
        for answer in self.answers.drain(..) {
            answer.send(());
        }
        Ok(())
    }
}

/// The place of an entry as appliers know it. Committed entries are in the same order by it as
/// they are by their whole ids.
pub(crate) fn log_index(id: &LogId) -> LogIndex {
    LogIndex { term: id.leader_id.term, index: id.index }
}
