use std::collections::BTreeMap;
use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use catga_core::{Fault, FaultCode};
use catga_host::BoxFuture;

use crate::{Applier, Delivered, LogIndex, LogSnapshot, PendingSnapshot};

/// Everything that the nodes of one check were given, and what was wrong with it.
///
/// Clones share what was recorded.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    /// By node; what a crash does not take.
    checkpoints: BTreeMap<usize, State>,
    lives: Vec<Life>,
    violations: Vec<String>,
}

/// One applier, from its start to its crash or the end of the check.
#[derive(Clone, Debug)]
struct Life {
    node: usize,
    state: State,
    installs: u64,
}

/// What an applier's state consists of: all that was ever delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    entries: Vec<Delivered>,
    /// Also where the state was installed and the last entry of the log is not one of ours.
    applied: Option<LogIndex>,
}

impl Recorder {
    /// The applier of `node` for its next life, from its last checkpoint.
    pub fn applier(&self, node: usize) -> RecordingApplier {
        let mut recorded = self.lock();
        let state = recorded.checkpoints.get(&node).cloned().unwrap_or_default();
        recorded.lives.push(Life { node, state, installs: 0 });
        RecordingApplier { recorder: self.clone(), life: recorded.lives.len() - 1 }
    }

    /// Makes the present state of `node` durable, so that a restart begins with it; the last
    /// index that it holds. This is what must precede [`Log::trim`](crate::Log::trim).
    pub fn checkpoint(&self, node: usize) -> Option<LogIndex> {
        let mut recorded = self.lock();
        let state = recorded.current(node)?.state.clone();
        let applied = state.applied;
        recorded.checkpoints.insert(node, state);
        applied
    }

    /// What the present state of `node` holds, in order.
    pub fn delivered(&self, node: usize) -> Vec<Delivered> {
        let recorded = self.lock();
        let life = recorded.current(node);
        life.map(|life| life.state.entries.clone()).unwrap_or_default()
    }

    /// True if the present state of `node` holds `entry`.
    pub fn holds(&self, node: usize, entry: &Bytes) -> bool {
        let recorded = self.lock();
        recorded.current(node).is_some_and(|life| {
            // From the end: what is looked for came lately.
            let mut entries = life.state.entries.iter().rev();
            entries.any(|delivered| delivered.entry == entry)
        })
    }

    /// The last index in the present state of `node`.
    pub fn applied(&self, node: usize) -> Option<LogIndex> {
        self.lock().current(node)?.state.applied
    }

    /// How many snapshots the present applier of `node` was given.
    pub fn installs(&self, node: usize) -> u64 {
        self.lock().current(node).map_or(0, |life| life.installs)
    }

    /// What each applier held at its end, in the order in which they began, with its node.
    pub(super) fn lives(&self) -> Vec<(usize, Vec<Delivered>)> {
        let recorded = self.lock();
        let lives = recorded.lives.iter();
        lives.map(|life| (life.node, life.state.entries.clone())).collect()
    }

    /// What was wrong with the deliveries themselves, whatever the check was about.
    pub(super) fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorded {
    fn current(&self, node: usize) -> Option<&Life> {
        self.lives.iter().rev().find(|life| life.node == node)
    }
}

/// An applier that keeps everything delivered to it, and shows it to its [`Recorder`].
pub struct RecordingApplier {
    recorder: Recorder,
    life: usize,
}

impl Applier for RecordingApplier {
    fn applied(&self) -> Option<LogIndex> {
        self.recorder.lock().lives[self.life].state.applied
    }

    fn apply(&mut self, entries: &[Delivered]) -> Result<(), Fault> {
        let mut recorded = self.recorder.lock();
        let recorded = &mut *recorded;
        let life = &mut recorded.lives[self.life];
        for delivered in entries {
            // Contract 1 and 8 of `Log`: indexes only rise, and nothing comes again.
            if life.state.applied >= Some(delivered.index) {
                recorded.violations.push(format!(
                    "node {} was given {:?} after {:?}",
                    life.node, delivered.index, life.state.applied
                ));
            }
            life.state.applied = Some(delivered.index);
            life.state.entries.push(delivered.clone());
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<PendingSnapshot, Fault> {
        let recorded = self.recorder.lock();
        let state = &recorded.lives[self.life].state;
        Ok(LogSnapshot { upto: state.applied, data: state.encode() }.into())
    }

    fn install(&mut self, snapshot: LogSnapshot) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(ready(self.install_now(snapshot)))
    }
}

impl RecordingApplier {
    fn install_now(&self, snapshot: LogSnapshot) -> Result<(), Fault> {
        let state = State::decode(snapshot.upto, snapshot.data)
            .ok_or_else(|| Fault::new(FaultCode::Unreadable, "the snapshot was changed"))?;
        let mut recorded = self.recorder.lock();
        let recorded = &mut *recorded;
        let life = &mut recorded.lives[self.life];
        if state.applied < life.state.applied {
            recorded.violations.push(format!(
                "node {} was set back from {:?} to {:?}",
                life.node, life.state.applied, state.applied
            ));
        }
        life.state = state;
        life.installs += 1;
        Ok(())
    }
}

impl fmt::Debug for RecordingApplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingApplier").field("life", &self.life).finish_non_exhaustive()
    }
}

impl State {
    /// `(term, index, length, entry)*`.
    fn encode(&self) -> Bytes {
        let mut data = BytesMut::new();
        for delivered in &self.entries {
            data.put_u64_le(delivered.index.term);
            data.put_u64_le(delivered.index.index);
            data.put_u64_le(delivered.entry.len() as u64);
            data.put_slice(&delivered.entry);
        }
        data.freeze()
    }

    fn decode(applied: Option<LogIndex>, mut data: Bytes) -> Option<Self> {
        let mut entries = Vec::new();
        while !data.is_empty() {
            let index =
                LogIndex { term: data.try_get_u64_le().ok()?, index: data.try_get_u64_le().ok()? };
            let length = usize::try_from(data.try_get_u64_le().ok()?).ok()?;
            if data.len() < length {
                return None;
            }
            let entry = data.split_to(length);
            entries.push(Delivered { index, entry });
        }
        Some(Self { entries, applied })
    }
}
