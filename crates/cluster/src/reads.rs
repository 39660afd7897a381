//! Read indexes: the leader confirms that it leads, and everybody else asks the leader.

use std::sync::Arc;
use std::time::Duration;

use catga_core::{Fault, FaultCode};
use catga_journal::LogIndex;
use catga_journal::planted::Planted;
use openraft::async_runtime::{Instant, Select2, Select3, WatchReceiver};
use openraft::metrics::RaftServerMetrics;
use openraft::{AsyncRuntime, LogIdOptionExt, ReadPolicy, ServerState};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::answers::{self, Next};
use crate::batch::log_index;
use crate::{LogId, NodeId, Options, Peers, Raft, Recipient, Rt, Topic, TypeConfig, Vote, wire};

/// How soon a leader that has not heard from its quorum is asked again: about one round trip.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(1);

/// How soon a leader that could not be asked is asked again, unless another leads before.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);

type Now = <Rt as AsyncRuntime>::Instant;

/// One who waits for the answer to the next request to the leader.
type Waiter = oneshot::Sender<Result<LogId, Fault>>;

/// Gives read indexes on one node.
#[derive(Clone)]
pub(crate) struct Reads {
    raft: Raft,
    me: NodeId,
    lease: Duration,
    answer_timeout: Duration,
    waiting: mpsc::Sender<Waiter>,
}

/// A read index, and the leadership that confirmed it.
pub(crate) struct ReadIndex {
    pub(crate) leader: Vote,
    pub(crate) log_id: LogId,
}

impl Reads {
    /// Read indexes of `raft`. The task that asks the leader is one of the current tasks.
    pub(crate) fn start(raft: Raft, options: &Options, peers: Arc<dyn Peers>) -> Self {
        let (waiting, queue) = mpsc::channel(options.pending_max.max(1));
        let (lease, answer_timeout) = (options.lease(), options.answer_timeout);
        let reads = Self { raft, me: options.id, lease, answer_timeout, waiting };
        let rounds =
            Rounds { raft: reads.raft.clone(), me: reads.me, within: answer_timeout, peers };
        drop(Rt::spawn(rounds.run(queue)));
        reads
    }

    /// An index that covers everything acknowledged before the call, once this node has applied it.
    pub(crate) async fn read_index(&self) -> Result<LogIndex, Fault> {
        let deadline = Now::now() + self.answer_timeout;
        let mut changes = self.raft.server_metrics();
        loop {
            let led = leading(&changes.borrow_and_update());
            let attempt = async {
                match led {
                    // It has tried for as long as a lease may take to come back.
                    Some(_) => self.confirm().await.map(|read| read.log_id),
                    None => self.ask().await,
                }
            };
            let fault = match Rt::select2(attempt, Rt::sleep_until(deadline)).await {
                Select2::First(Ok(index)) => return self.applied(index, deadline).await,
                Select2::First(Err(fault)) => fault,
                Select2::Second(()) => return Err(answers::unconfirmed("not in time")),
            };
            if led.is_some() && leading(&self.raft.server_metrics().borrow_watched()) == led {
                return Err(fault);
            }
            let again = Rt::sleep(ASK_AGAIN_AFTER);
            match Rt::select3(changes.changed(), again, Rt::sleep_until(deadline)).await {
                Select3::First(Err(_)) | Select3::Third(()) => return Err(fault),
                Select3::First(Ok(())) | Select3::Second(()) => {}
            }
        }
    }

    /// A read index of this node, which leads: a quorum has confirmed that since the call.
    pub(crate) async fn confirm(&self) -> Result<ReadIndex, Fault> {
        let start = Now::now();
        loop {
            if let Some(read) = self.planted() {
                return Ok(read);
            }
            // Never by lease: an agreed failover elects a leader while the old one believes in it.
            let read = self.raft.get_read_linearizer(ReadPolicy::ReadIndex).await;
            let error = match read {
                Ok(read) => {
                    let read = read.read_log_id();
                    let leader = read.committed_leader_id();
                    let leader = Vote::new_committed(leader.term, leader.node_id);
                    return Ok(ReadIndex { leader, log_id: *read.log_id() });
                }
                Err(error) => answers::read_error(error),
            };
            match error {
                Next::Retry(fault) if start.elapsed() >= self.lease => return Err(fault),
                Next::Retry(_) => Rt::sleep(RETRY_AFTER).await,
                Next::Answer(fault) => return Err(fault),
            }
        }
    }

    /// A bug on purpose: what this node has applied, while it believes that it leads.
    fn planted(&self) -> Option<ReadIndex> {
        if !Planted::ReadIndexUnconfirmed.is_here() {
            return None;
        }
        let metrics = self.raft.server_metrics();
        let leader = leading(&metrics.borrow_watched())?;
        let log_id = self.raft.data_metrics().borrow_watched().last_applied?;
        Some(ReadIndex { leader, log_id })
    }

    /// A read index of the leader, which is another node.
    async fn ask(&self) -> Result<LogId, Fault> {
        let (waiter, answered) = oneshot::channel();
        self.waiting.try_send(waiter).map_err(|error| match error {
            TrySendError::Full(_) => {
                Fault::new(FaultCode::Overloaded, "as many reads wait for the leader as may")
            }
            TrySendError::Closed(_) => answers::unasked("the log has stopped"),
        })?;
        answered.await.unwrap_or_else(|_| Err(answers::unasked("the log has stopped")))
    }

    /// Waits until this node has applied everything up to `index`.
    async fn applied(&self, index: LogId, deadline: Now) -> Result<LogIndex, Fault> {
        let mut applied = self.raft.watch_apply_progress();
        let covers = move |last: &Option<LogId>| last.index() >= Some(index.index);
        match Rt::select2(applied.wait_until(covers), Rt::sleep_until(deadline)).await {
            Select2::First(Ok(_)) => Ok(log_index(&index)),
            Select2::First(Err(_)) => Err(answers::unasked("the log has stopped")),
            Select2::Second(()) => {
                Err(answers::unasked("this node did not apply what it covers in time"))
            }
        }
    }
}

/// Asks the leader, for all who wait at once.
struct Rounds {
    raft: Raft,
    me: NodeId,
    within: Duration,
    peers: Arc<dyn Peers>,
}

impl Rounds {
    /// One request at a time: who comes while it is under way waits for the next, since what it
    /// covers may have been acknowledged after it was made.
    async fn run(self, mut queue: mpsc::Receiver<Waiter>) {
        let mut waiters = Vec::new();
        let mut former = None;
        while queue.recv_many(&mut waiters, usize::MAX).await > 0 {
            let answer = match former.take().filter(|_| Planted::ReadIndexReused.is_here()) {
                Some(former) => former,
                None => self.round().await,
            };
            former = Some(answer.clone()).filter(Result::is_ok);
            for waiter in waiters.drain(..) {
                // It may have given up.
                let _ = waiter.send(answer.clone());
            }
        }
    }

    async fn round(&self) -> Result<LogId, Fault> {
        let mut changes = self.raft.server_metrics();
        let (leader, to) = {
            let metrics = changes.borrow_and_update();
            (metrics.vote, self.leader(&metrics)?)
        };
        let request = vec![wire::read_index(&leader)];
        let call = self.peers.call(&to, Topic::Log, request, self.within);
        let changed = async {
            while changes.borrow_and_update().vote == leader && changes.changed().await.is_ok() {}
        };
        match Rt::select2(call, changed).await {
            Select2::First(Ok(answer)) => match wire::read_read_index_answer(answer) {
                Ok((_, index)) => Ok(index),
                Err(error) => Err(answers::unasked(error)),
            },
            Select2::First(Err(error)) => Err(answers::unasked(error)),
            Select2::Second(()) => Err(answers::unasked("the leader has changed")),
        }
    }

    fn leader(&self, metrics: &RaftServerMetrics<TypeConfig>) -> Result<Recipient, Fault> {
        let unknown = || answers::unasked("no leader is known");
        let leader = metrics.current_leader.ok_or_else(unknown)?;
        if leader == self.me {
            return Err(answers::unasked("this node leads by now"));
        }
        let node = metrics.membership_config.get_node(&leader).ok_or_else(unknown)?;
        Ok(Recipient { address: node.address.as_str().into(), id: Some(leader) })
    }
}

/// The leadership that a node has, if it leads.
fn leading(metrics: &RaftServerMetrics<TypeConfig>) -> Option<Vote> {
    (metrics.state == ServerState::Leader).then_some(metrics.vote)
}
