use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use catga_cluster::{LogId, Rt, Snapshot, SnapshotStore, TypeConfig, Vote};
use catga_host::BoxFuture;
use openraft::AsyncRuntime;
use openraft::alias::EntryOf;
use openraft::storage::IOFlushed;
use tokio::sync::oneshot;

use super::Random;

/// The disk of one node. It outlives the node's crashes, but not what it had not flushed.
///
/// What is written can be read at once, and is durable only when its flush has completed. Votes,
/// entries, truncations and purges wait in one queue, and become durable in its order.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug)]
struct Platter {
    /// As it is read.
    live: Contents,
    /// As it is found after a crash.
    durable: Contents,
    queue: VecDeque<Write>,
    /// A task is about to flush.
    flushing: bool,
    snapshot: Option<Snapshot>,
    flush: (Duration, Duration),
    random: Random,
}

/// A log, and what belongs to it.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    pub vote: Option<Vote>,
    pub committed: Option<LogId>,
    pub purged: Option<LogId>,
    pub log: BTreeMap<u64, EntryOf<TypeConfig>>,
}

/// What a crash takes of the writes that were not flushed.
#[derive(Clone, Copy, Debug)]
pub enum Lost {
    /// Each of them.
    All,
    /// Those after some moment that chance decides.
    Some,
}

/// One write on its way to the platter.
pub enum Write {
    Append(Vec<EntryOf<TypeConfig>>, IOFlushed<TypeConfig>),
    Vote(Vote, oneshot::Sender<()>),
    Committed(Option<LogId>),
    TruncateAfter(Option<LogId>),
    Purge(LogId),
    /// Nothing, when all before it is durable.
    Flush(oneshot::Sender<()>),
}

impl Contents {
    fn take(&mut self, write: &Write) {
        match write {
            Write::Append(entries, _) => {
                let entries = entries.iter().cloned();
                self.log.extend(entries.map(|entry| (entry.log_id.index, entry)));
            }
            Write::Vote(vote, _) => self.vote = Some(*vote),
            Write::Committed(committed) => self.committed = *committed,
            Write::TruncateAfter(kept) => {
                let first_dropped = kept.map_or(0, |kept| kept.index + 1);
                self.log.split_off(&first_dropped);
            }
            Write::Purge(upto) => {
                self.log = self.log.split_off(&(upto.index + 1));
                self.purged = Some(*upto);
            }
            Write::Flush(_) => {}
        }
    }
}

impl Disk {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Platter {
            live: Contents::default(),
            durable: Contents::default(),
            queue: VecDeque::new(),
            flushing: false,
            snapshot: None,
            flush: (Duration::from_micros(500), Duration::from_millis(4)),
            random: Random::new(seed),
        })))
    }

    /// From now on every flush takes this long.
    pub fn set_flush(&self, time: Duration) {
        self.lock().flush = (time, time);
    }

    /// What a reader sees.
    pub fn read<T>(&self, look: impl FnOnce(&Contents) -> T) -> T {
        look(&self.lock().live)
    }

    /// Takes the writes that `lost` does not save, once the node's tasks are ended.
    pub fn crash(&self, lost: Lost) {
        let mut platter = self.lock();
        let platter = &mut *platter;
        let saved = match lost {
            Lost::All => 0,
            Lost::Some => platter.random.below(platter.queue.len() + 1),
        };
        for write in platter.queue.drain(..).take(saved) {
            platter.durable.take(&write);
        }
        platter.live = platter.durable.clone();
        platter.flushing = false;
    }

    /// Writes, and sees to it that it will be durable.
    pub fn write(&self, write: Write) {
        let mut platter = self.lock();
        platter.live.take(&write);
        platter.queue.push_back(write);
        if !std::mem::replace(&mut platter.flushing, true) {
            // One of the node's own tasks, so that a crash ends it.
            Rt::spawn(self.clone().flush());
        }
    }

    async fn flush(self) {
        loop {
            let (time, writes) = {
                let mut platter = self.lock();
                if platter.queue.is_empty() {
                    platter.flushing = false;
                    return;
                }
                let (least, most) = platter.flush;
                (platter.random.time(least, most), platter.queue.len())
            };
            Rt::sleep(time).await;
            let written: Vec<Write> = {
                let mut platter = self.lock();
                let written: Vec<Write> = platter.queue.drain(..writes).collect();
                written.iter().for_each(|write| platter.durable.take(write));
                written
            };
            for write in written {
                match write {
                    Write::Append(_, flushed) => flushed.io_completed(Ok(())),
                    Write::Vote(_, flushed) | Write::Flush(flushed) => drop(flushed.send(())),
                    _ => {}
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().expect("no holder panics")
    }
}

impl SnapshotStore for Disk {
    fn save(&self, snapshot: Snapshot) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let time = {
                let mut platter = self.lock();
                let (least, most) = platter.flush;
                platter.random.time(least, most)
            };
            Rt::sleep(time).await;
            let mut platter = self.lock();
            let stored = platter.snapshot.as_ref();
            if stored.is_none_or(|stored| stored.meta.last_log_id < snapshot.meta.last_log_id) {
                platter.snapshot = Some(snapshot);
            }
            Ok(())
        })
    }

    fn load(&self) -> BoxFuture<'_, io::Result<Option<Snapshot>>> {
        Box::pin(async { Ok(self.lock().snapshot.clone()) })
    }
}

impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Append(..) => "Append",
            Self::Vote(..) => "Vote",
            Self::Committed(_) => "Committed",
            Self::TruncateAfter(_) => "TruncateAfter",
            Self::Purge(_) => "Purge",
            Self::Flush(_) => "Flush",
        })
    }
}
