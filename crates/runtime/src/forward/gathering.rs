use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use catga_core::NodeName;
use catga_host::{BoxFuture, Host};
use catga_journal::planted::Planted;
use tokio::sync::oneshot;

use super::answer::answers_of;
use super::request::batch_request;
use crate::{PeerCalls, PeerError};

/// How many requests go together at most. The leader runs them in one task, so more would keep its
/// other threads idle.
pub(super) const TOGETHER_MAX: usize = 64;

/// How many bytes they have at most, unless there is only one.
pub(super) const TOGETHER_BYTES_MAX: usize = 256 << 10;

/// How often it is awaited that more come, as long as more come.
const STEPS_BACK_MAX: usize = 4;

/// Sends the requests that are made at the same time for the same node in one.
///
/// Commands come in bursts: those whose callers were answered by one entry of the log are followed
/// by the next at once. Sent one by one, each wakes a thread here, one there, and two more with its
/// answer; together they cost that once. There is no timer: the first of them steps back once,
/// behind whoever is about to send as well, and again as long as that brings more.
pub(crate) struct Gathering {
    host: Arc<dyn Host>,
    peers: Arc<dyn PeerCalls>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// What waits, by whom it is for; never empty.
    batches: BTreeMap<NodeName, Batch>,
    /// The number of the next batch.
    next: u64,
}

/// Requests that go together.
struct Batch {
    number: u64,
    requests: Vec<Waiting>,
    bytes: usize,
    /// Held by all who wait for an answer. `gone` is ready when nobody does any more.
    interest: Arc<oneshot::Sender<()>>,
    gone: oneshot::Receiver<()>,
}

struct Waiting {
    request: Bytes,
    until: Duration,
    answer: oneshot::Sender<Result<Bytes, PeerError>>,
}

/// The answer to come. Dropped, it is given up; the request may be handled.
#[derive(Debug)]
pub(super) struct Asked {
    answer: oneshot::Receiver<Result<Bytes, PeerError>>,
    _interest: Arc<oneshot::Sender<()>>,
}

impl Gathering {
    /// Gathers on `host` what is for `peers`.
    pub(crate) fn new(host: Arc<dyn Host>, peers: Arc<dyn PeerCalls>) -> Arc<Self> {
        Arc::new(Self { host, peers, open: Mutex::default() })
    }

    /// Sends `request` to the node called `to`, together with what else is sent there now, and
    /// waits for its answer until `until`, on the host's clock.
    pub(super) fn ask(self: &Arc<Self>, to: &NodeName, request: Bytes, until: Duration) -> Asked {
        let (answer, answered) = oneshot::channel();
        let mut open = self.lock();
        let Open { batches, next } = &mut *open;
        let full = match batches.get(to) {
            Some(batch) if !batch.takes(request.len()) => batches.remove(to),
            _ => None,
        };
        let batch = match batches.get_mut(to) {
            Some(batch) => batch,
            None => {
                let batch = Batch::new(*next);
                *next += 1;
                let gather = Arc::clone(self).gather(to.clone(), batch.number);
                drop(self.host.spawn("forwarding", Box::pin(gather)));
                batches.entry(to.clone()).or_insert(batch)
            }
        };
        batch.bytes += request.len();
        batch.requests.push(Waiting { request, until, answer });
        let asked = Asked { answer: answered, _interest: Arc::clone(&batch.interest) };
        drop(open);
        if let Some(full) = full {
            let send = Arc::clone(self).send(to.clone(), full);
            drop(self.host.spawn("forwarding", Box::pin(send)));
        }
        asked
    }

    /// The same for a request that goes by itself, at once.
    pub(super) fn ask_alone(
        &self,
        to: &NodeName,
        request: Bytes,
        until: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>> {
        self.peers.call(to, request, until.saturating_sub(self.host.now()))
    }

    /// Sends the batch `number`, which has just begun, when no more come.
    async fn gather(self: Arc<Self>, to: NodeName, number: u64) {
        let mut before = 0;
        for _ in 0..STEPS_BACK_MAX {
            tokio::task::yield_now().await;
            let waiting = match self.lock().batches.get(&to) {
                Some(batch) if batch.number == number => batch.requests.len(),
                // It was full, and is sent.
                _ => return,
            };
            // Whoever is alone after one step stays alone.
            if waiting == before || waiting == 1 {
                break;
            }
            before = waiting;
        }
        let batch = {
            let mut open = self.lock();
            let is_it = open.batches.get(&to).is_some_and(|batch| batch.number == number);
            is_it.then(|| open.batches.remove(&to)).flatten()
        };
        if let Some(batch) = batch {
            self.send(to, batch).await;
        }
    }

    async fn send(self: Arc<Self>, to: NodeName, batch: Batch) {
        let Batch { mut requests, mut gone, interest, .. } = batch;
        drop(interest);
        requests.retain(|waiting| !waiting.answer.is_closed());
        let Some(until) = requests.iter().map(|waiting| waiting.until).max() else { return };
        let within = until.saturating_sub(self.host.now());
        let together = match requests.as_slice() {
            [only] => only.request.clone(),
            all => batch_request(all.iter().map(|waiting| waiting.request.clone()), within),
        };
        let call = self.peers.call(&to, together, within);
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            // Nothing is sent any more that nobody waits for.
            _ = &mut gone => return,
        };
        let count = requests.len();
        let answers = answer.and_then(|answer| match count {
            1 => Ok(vec![answer]),
            _ => answers_of(answer, count).map_err(PeerError::Unknown),
        });
        match answers {
            Ok(mut answers) => {
                if Planted::AnswersSwapped.is_here() {
                    answers.rotate_left(1);
                }
                for (waiting, answer) in requests.into_iter().zip(answers) {
                    let _ = waiting.answer.send(Ok(answer));
                }
            }
            Err(error) => {
                for waiting in requests {
                    let _ = waiting.answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// How many requests wait for others to go with.
    pub(crate) fn len(&self) -> usize {
        self.lock().batches.values().map(|batch| batch.requests.len()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    fn new(number: u64) -> Self {
        let (interest, gone) = oneshot::channel();
        Self { number, requests: Vec::new(), bytes: 0, interest: Arc::new(interest), gone }
    }

    fn takes(&self, bytes: usize) -> bool {
        self.requests.len() < TOGETHER_MAX && self.bytes + bytes <= TOGETHER_BYTES_MAX
    }
}

impl Future for Asked {
    type Output = Result<Bytes, PeerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(cx));
        Poll::Ready(answer.unwrap_or_else(|_| {
            Err(PeerError::Unknown("what sends requests has ended".to_owned()))
        }))
    }
}

impl fmt::Debug for Gathering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathering").field("peers", &self.peers).finish_non_exhaustive()
    }
}
