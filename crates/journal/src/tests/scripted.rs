use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use catga_core::{Fault, NodeName};
use catga_host::{Host, TokioHost};
use futures_util::FutureExt;
use tokio::sync::watch;

use crate::{
    AppendError, Applier, Delivered, Guarantees, Leadership, Log, LogIndex, LogSnapshot, Pieces,
    Refusal, Replica, ReplicaApplier, ReplicaOptions, Role, Survives,
};

/// A log of one node that answers appends as a test says, and acknowledges the others.
pub(crate) struct Scripted {
    inner: Mutex<Inner>,
    open: watch::Sender<bool>,
    term: watch::Sender<u64>,
}

struct Inner {
    /// None while a snapshot is installed.
    applier: Option<ReplicaApplier>,
    script: VecDeque<Step>,
    /// Left in doubt and not delivered.
    withheld: Vec<Bytes>,
    delivered: Vec<Delivered>,
    stopped: bool,
}

/// How one append is answered.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Refuse(Refusal),
    /// In doubt, and it is delivered before.
    DoubtAfter,
    /// In doubt, and it is delivered when the test says so, if at all.
    DoubtWithheld,
}

pub(crate) async fn scripted(options: ReplicaOptions) -> Arc<Replica<Scripted>> {
    scripted_on(Arc::new(TokioHost::current()), options).await.unwrap()
}

pub(crate) async fn scripted_on(
    host: Arc<dyn Host>,
    options: ReplicaOptions,
) -> Result<Arc<Replica<Scripted>>, Fault> {
    let open = async |applier| {
        Ok(Scripted {
            inner: Mutex::new(Inner {
                applier: Some(applier),
                script: VecDeque::new(),
                withheld: Vec::new(),
                delivered: Vec::new(),
                stopped: false,
            }),
            open: watch::Sender::new(true),
            term: watch::Sender::new(1),
        })
    };
    Replica::open(host, options, open).await
}

impl Scripted {
    pub(crate) fn script(&self, steps: impl IntoIterator<Item = Step>) {
        self.inner.lock().unwrap().script.extend(steps);
    }

    /// Begins another leadership, of this node again.
    pub(crate) fn set_term(&self, term: u64) {
        self.term.send_replace(term);
    }

    /// Lets appends through, or holds them.
    pub(crate) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// Delivers the entries that were withheld, and says how many.
    pub(crate) fn deliver_withheld(&self) -> usize {
        let mut inner = self.inner.lock().unwrap();
        let withheld = std::mem::take(&mut inner.withheld);
        let count = withheld.len();
        withheld.into_iter().for_each(|entry| drop(inner.deliver(entry)));
        count
    }

    pub(crate) fn take_withheld(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.inner.lock().unwrap().withheld)
    }

    pub(crate) fn deliver(&self, entry: Bytes) -> Result<LogIndex, Fault> {
        self.inner.lock().unwrap().deliver(entry)
    }

    pub(crate) fn delivered(&self) -> Vec<Delivered> {
        self.inner.lock().unwrap().delivered.clone()
    }

    pub(crate) fn apply(&self, entries: &[Delivered]) -> Result<(), Fault> {
        let mut inner = self.inner.lock().unwrap();
        inner.delivered.extend_from_slice(entries);
        inner.applier().apply(entries)
    }

    pub(crate) fn snapshot(&self) -> LogSnapshot {
        let pending = self.inner.lock().unwrap().applier().snapshot().unwrap();
        pending.build().now_or_never().unwrap().unwrap()
    }

    /// Makes a checkpoint of what was delivered so far.
    pub(crate) async fn checkpoint(&self) -> Result<LogSnapshot, Fault> {
        let pending = self.inner.lock().unwrap().applier().snapshot()?;
        pending.build().await
    }

    pub(crate) fn applied(&self) -> Option<LogIndex> {
        self.inner.lock().unwrap().applier().applied()
    }

    pub(crate) fn pieces(&self) -> Arc<dyn Pieces> {
        self.inner.lock().unwrap().applier().pieces().expect("a replica on disk")
    }

    pub(crate) fn install(&self, snapshot: LogSnapshot) -> Result<(), Fault> {
        let mut inner = self.inner.lock().unwrap();
        inner.applier().install(snapshot).now_or_never().unwrap()
    }

    /// As [`install`](Self::install), where it waits for a disk.
    pub(crate) async fn take_over(&self, snapshot: LogSnapshot) -> Result<(), Fault> {
        let mut applier = self.inner.lock().unwrap().applier.take().expect("no other runs");
        let installed = applier.install(snapshot).await;
        self.inner.lock().unwrap().applier = Some(applier);
        installed
    }
}

impl Inner {
    fn applier(&mut self) -> &mut ReplicaApplier {
        self.applier.as_mut().expect("no snapshot is being installed")
    }

    fn deliver(&mut self, entry: Bytes) -> Result<LogIndex, Fault> {
        let last = self.applier().applied().unwrap_or_default();
        let index = LogIndex { term: 1, index: last.index + 1 };
        let delivered = Delivered { index, entry };
        self.delivered.push(delivered.clone());
        self.applier().apply(&[delivered])?;
        Ok(index)
    }
}

impl Log for Scripted {
    async fn append(&self, entry: Bytes) -> Result<LogIndex, AppendError> {
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open).await.expect("the log holds the sender");
        let mut inner = self.inner.lock().unwrap();
        if inner.stopped {
            return Err(AppendError::Refused(Refusal::Stopped));
        }
        match inner.script.pop_front() {
            Some(Step::Refuse(refusal)) => Err(AppendError::Refused(refusal)),
            Some(Step::DoubtAfter) => {
                inner.deliver(entry).unwrap();
                Err(AppendError::InDoubt("the test wants it".to_owned()))
            }
            Some(Step::DoubtWithheld) => {
                inner.withheld.push(entry);
                Err(AppendError::InDoubt("the test wants it".to_owned()))
            }
            None => {
                let delivered = inner.deliver(entry);
                delivered.map_err(|fault| AppendError::InDoubt(fault.to_string()))
            }
        }
    }

    async fn read_index(&self) -> Result<LogIndex, Fault> {
        Ok(self.inner.lock().unwrap().applier().applied().unwrap_or_default())
    }

    fn leadership(&self) -> Leadership {
        Leadership {
            term: *self.term.borrow(),
            role: Role::Leader,
            leader: Some(NodeName::new("n1")),
        }
    }

    async fn leadership_changed(&self, known: &Leadership) {
        let mut term = self.term.subscribe();
        term.wait_for(|term| *term != known.term).await.expect("the log holds the sender");
    }

    async fn snapshot(&self) -> Result<(), Fault> {
        self.checkpoint().await.map(drop)
    }

    async fn trim(&self, _upto: LogIndex) {}

    fn guarantees(&self) -> Guarantees {
        Guarantees::new("scripted", Survives::Nothing)
    }

    async fn shutdown(&self) {
        self.inner.lock().unwrap().stopped = true;
        self.set_open(true);
    }
}
