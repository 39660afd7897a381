use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use catga_core::{Fault, FaultCode, NodeName};

use crate::{
    AppendError, Applier, Delivered, Guarantees, Leadership, Log, LogIndex, Refusal, Role, Survives,
};

/// The only term that there is: this node always leads.
const TERM: u64 = 1;

/// A log in memory, of one node, which always leads; it is gone with the process.
///
/// `append` applies in place and returns at once, without a task or a wake-up. No entry is kept:
/// what is applied is never asked for again, since this log cannot restart.
pub struct MemoryLog {
    node: NodeName,
    limits: LogLimits,
    /// Held while an entry is applied: the order of the appends is the order of the lock.
    state: Mutex<State>,
}

struct State {
    applier: Box<dyn Applier>,
    last: u64,
    /// Also while the applier works, so that one that panicked is never called again.
    stopped: bool,
}

/// What a log takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLimits {
    /// The most bytes of one entry; 16 MiB unless it is changed.
    pub entry_bytes_max: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { entry_bytes_max: 16 << 20 }
    }
}

impl LogLimits {
    /// The same limits with at most `bytes` in an entry.
    #[must_use]
    pub fn with_entry_bytes_max(mut self, bytes: usize) -> Self {
        self.entry_bytes_max = bytes;
        self
    }
}

impl MemoryLog {
    /// A log that delivers to `applier`, going on after what it already holds.
    pub fn open(node: NodeName, applier: impl Applier, limits: LogLimits) -> Self {
        let last = applier.applied().map_or(0, |applied| applied.index);
        Self {
            node,
            limits,
            state: Mutex::new(State { applier: Box::new(applier), last, stopped: false }),
        }
    }

    fn append_now(&self, entry: Bytes) -> Result<LogIndex, AppendError> {
        let limit = self.limits.entry_bytes_max;
        if entry.len() > limit {
            return Err(AppendError::Refused(Refusal::TooLarge { limit }));
        }
        let mut state = self.lock();
        if state.stopped {
            return Err(AppendError::Refused(Refusal::Stopped));
        }
        state.stopped = true;
        state.last += 1;
        let index = LogIndex { term: TERM, index: state.last };
        let applied = state.applier.apply(&[Delivered { index, entry }]);
        // In doubt, not refused: how much of the entry the applier took is not known here.
        applied
            .map_err(|fault| AppendError::InDoubt(format!("cannot apply {index:?}: {fault}")))?;
        state.stopped = false;
        Ok(index)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    async fn append(&self, entry: Bytes) -> Result<LogIndex, AppendError> {
        self.append_now(entry)
    }

    async fn read_index(&self) -> Result<LogIndex, Fault> {
        let state = self.lock();
        if state.stopped {
            let message = "cannot confirm the end of the log: it has stopped";
            return Err(Fault::new(FaultCode::ShuttingDown, message));
        }
        Ok(LogIndex { term: TERM, index: state.last })
    }

    fn leadership(&self) -> Leadership {
        Leadership { term: TERM, role: Role::Leader, leader: Some(self.node.clone()) }
    }

    fn term(&self) -> u64 {
        TERM
    }

    async fn trim(&self, _upto: LogIndex) {
        // Nothing is kept.
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::new("memory", Survives::Nothing)
    }

    async fn shutdown(&self) {
        self.lock().stopped = true;
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("MemoryLog")
            .field("node", &self.node)
            .field("last", &state.last)
            .field("stopped", &state.stopped)
            .finish_non_exhaustive()
    }
}
