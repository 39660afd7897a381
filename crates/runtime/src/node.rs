use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;

use catga_core::{
    Answer, Command, Contract, Envelope, Event, Failure, Fault, FaultCode, NodeName, Position,
    Query, ReadLevel, Registry, Request, Slot,
};
use catga_host::{Connection, Host, Task, timeout};
use catga_journal::Journal;
use futures_util::future::join;

use crate::CertificateStatus;
use crate::commit::Committer;
use crate::forward::{Remotes, confirmed_head};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::projector::Projections;
use crate::sent::Sent;
use crate::status::NodeState;
use crate::subscription::Subscriptions;
use crate::views::Views;
use crate::{
    Asking, Client, ClusterView, Health, Limits, OpenListener, ProjectionStatus, Sending,
    SubscriberStatus,
};

/// A running program: it sends commands, asks queries and publishes events, wherever they are
/// handled.
///
/// Cheap to clone; all clones are one node. It runs until [`shutdown`](Self::shutdown), which lets
/// what is under way finish, or until the last clone is dropped, which does not.
#[derive(Clone)]
pub struct Node(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) name: NodeName,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) limits: Limits,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) registry: Registry,
    /// What runs commands for other nodes.
    pub(crate) remotes: Remotes,
    /// The views of the service that handles a message, for reads that must wait for them.
    pub(crate) views: HashMap<TypeId, Views>,
    pub(crate) committer: Arc<Committer>,
    pub(crate) projections: Projections,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) metrics: Metrics,
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// The tasks of projections and subscribers; taken at shutdown.
    pub(crate) tasks: Mutex<Vec<Task>>,
    /// Where the node serves, once somebody has told it.
    pub(crate) endpoint: OnceLock<String>,
    /// What was opened while the node was starting; it closes with the node.
    pub(crate) listener: Option<Arc<dyn OpenListener>>,
}

/// How long a node that stops waits for another to lead. An election without it takes less.
const HAND_OVER_WAIT: Duration = Duration::from_secs(5);

impl Node {
    /// Sends a command to its handler; await the result for the answer.
    ///
    /// A command that is sent from within a handler commits by itself: it is not part of that
    /// handler's transaction.
    #[inline]
    pub fn send<M: Command>(&self, command: M) -> Sending<'_, M> {
        Sending::new(&self.0, command)
    }

    /// Asks a query of its handler; await the result for the answer.
    #[inline]
    pub fn ask<M: Query>(&self, query: M) -> Asking<'_, M> {
        Asking::new(&self.0, query)
    }

    /// Publishes an event from outside a handler.
    ///
    /// An ephemeral event goes to this node's subscribers in place: they have run when this
    /// returns. Any other event is appended to its stream, whatever else was appended to it.
    ///
    /// # Errors
    /// A fault when the event was not recorded, or when a subscriber of an ephemeral event failed;
    /// the others have had it all the same.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open which subscribers had the event, or whether it is recorded.
    pub async fn publish<E: Event>(&self, event: E) -> Result<(), Fault> {
        if !self.0.lifecycle.is_running() {
            return Err(shutting_down());
        }
        if E::EPHEMERAL {
            return self.0.registry.publish(&event).await.map_err(|errors| {
                let reasons: Vec<_> = errors.iter().map(ToString::to_string).collect();
                Fault::internal(format!(
                    "{} subscribers of `{}` failed: {}",
                    errors.len(),
                    E::NAME,
                    reasons.join("; ")
                ))
            });
        }
        self.0.committer.append(&event).await
    }

    /// A client of the contract `C`, which may be a service.
    pub fn client<C: Contract>(&self) -> Client<C> {
        Client::of(self.clone())
    }

    /// What this node has applied: everything up to here can be read here.
    pub fn position(&self) -> Position {
        self.0.position_at(self.0.journal.applied().get())
    }

    /// The name of the node (`NODE_ID`).
    pub fn name(&self) -> NodeName {
        self.0.name.clone()
    }

    /// The machine that it runs on.
    pub fn host(&self) -> &Arc<dyn Host> {
        &self.0.host
    }

    /// The bounds that it works within.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The node as a member of its cluster.
    pub fn cluster(&self) -> ClusterView {
        ClusterView::new(self.clone())
    }

    /// Where the node serves, such as `http://localhost:5001`, if it does.
    pub fn endpoint(&self) -> Option<&str> {
        self.0.endpoint.get().map(String::as_str)
    }

    /// Tells where the node serves; the first one counts.
    pub fn set_endpoint(&self, endpoint: impl Into<String>) {
        // A second listener does not change what peers and people were told.
        let _ = self.0.endpoint.set(endpoint.into());
    }

    /// How the node is, for probes.
    pub fn health(&self) -> Health {
        let mut health = Health { ready: true, degraded: Vec::new(), not_ready: Vec::new() };
        match self.0.state() {
            NodeState::Draining => health.not_ready.push("the node is draining".to_owned()),
            _ if self.0.journal.failure().is_some() => {
                health.not_ready.push("the journal has stopped".to_owned());
            }
            _ if self.0.journal.leadership().leader.is_none() => {
                health.not_ready.push("no leader is known".to_owned());
            }
            _ => {}
        }
        health.ready = health.not_ready.is_empty();
        health.degraded.extend(self.0.journal.degraded());
        health.degraded.extend(self.0.projections.complaints());
        health.degraded.extend(self.0.subscriptions.complaints());
        let certificate = CertificateStatus::of(self);
        health.degraded.extend(certificate.iter().flat_map(CertificateStatus::complaints));
        health
    }

    /// How far each projection is.
    pub fn projections(&self) -> Vec<ProjectionStatus> {
        self.0.projections.status(&*self.0.journal)
    }

    /// How far each subscriber is.
    pub fn subscribers(&self) -> Vec<SubscriberStatus> {
        self.0.subscriptions.status()
    }

    /// Lets a paused subscriber try again; false if none of that name is paused on this node.
    pub fn resume_subscriber(&self, name: &str) -> bool {
        self.0.subscriptions.resume(name)
    }

    /// The rolling hash over everything applied, and the position that it stands for: nodes with
    /// equal positions have equal hashes.
    pub fn rolling_hash(&self) -> (Position, u64) {
        let (offset, hash) = self.0.journal.rolling_hash();
        (self.0.position_at(offset), hash)
    }

    /// Ready with the reason when the node cannot go on, such as when its disk fails: nothing is
    /// recorded any more, and the process should end. [`serve`](../catga/fn.serve.html) does that.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn failed(&self) -> Fault {
        self.0.journal.failed().await
    }

    /// True until the node drains.
    pub fn is_running(&self) -> bool {
        self.0.lifecycle.is_running()
    }

    /// Takes the connection of a peer that asked for one over HTTP, and serves it until it ends;
    /// false if the node has no peers. The future does not keep the node.
    ///
    /// # Cancel safety
    /// Dropping the future ends the connection.
    pub fn accept_peer(&self, connection: Connection) -> impl Future<Output = bool> + Send + use<> {
        let link = self.0.committer.peers.as_ref().map(|peers| peers.accept(connection));
        async move {
            match link {
                Some(link) => {
                    link.await;
                    true
                }
                None => false,
            }
        }
    }

    /// True if the node has peers, whose connections it takes.
    pub fn has_peers(&self) -> bool {
        self.0.committer.peers.is_some()
    }

    /// Stops in order: refuses new calls; lets what is under way finish within
    /// [`Limits::drain_wait`], the deliveries of subscribers of the whole cluster too, which then
    /// record how far they came; hands leadership over within 5 s; closes what was opened for peers
    /// while it started; stops the other subscribers and the projections; writes the last
    /// checkpoints of the projections within 10 s; and stops the journal.
    ///
    /// Returns true if everything under way had finished. A second call returns at once.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the node draining; what is under way goes on.
    pub async fn shutdown(&self) -> bool {
        let inner = &self.0;
        if !inner.lifecycle.drain() {
            return true;
        }
        tracing::info!(node = %inner.name, "draining");
        let idle = join(inner.committer.idle(), inner.subscriptions.stop());
        let drained = timeout(&*inner.host, inner.limits.drain_wait, idle).await.is_ok();
        if let Some(peers) = &inner.committer.peers
            && timeout(&*inner.host, HAND_OVER_WAIT, peers.hand_over()).await.is_err()
        {
            tracing::warn!(node = %inner.name, "leadership was not handed over in time");
        }
        drop(self.take_listener().await);
        let tasks =
            std::mem::take(&mut *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in &tasks {
            task.abort();
        }
        for task in tasks {
            task.await;
        }
        inner.projections.finish(&inner.host).await;
        inner.journal.shutdown().await;
        inner.lifecycle.stop();
        tracing::info!(node = %inner.name, drained, "stopped");
        drained
    }
}

/// A node that nobody holds any more stops at once, without draining.
impl Drop for Inner {
    fn drop(&mut self) {
        for task in self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.0.name)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Begins a call of this node, in `slot`.
    #[inline]
    pub(crate) fn start<'a, M: Request>(
        &'a self,
        message: M,
        envelope: Option<Box<Envelope>>,
        slot: Pin<&mut Slot<'a, Answer<M::Reply, M::Error>>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Answer<M::Reply, M::Error>> {
        if self.lifecycle.is_running() {
            self.registry.start(message, envelope, slot, cx)
        } else {
            Poll::Ready(Err(Failure::Fault(shutting_down())))
        }
    }

    /// A read that waits: for what its caller has seen, or for everything that was acknowledged.
    pub(crate) async fn read<M: Request>(
        &self,
        message: M,
        envelope: Option<Box<Envelope>>,
        level: ReadLevel,
    ) -> Answer<M::Reply, M::Error> {
        let context = envelope.as_ref().map(|envelope| &envelope.context);
        let limit = context
            .and_then(|context| context.deadline)
            .unwrap_or(self.limits.deadline)
            .min(self.limits.deadline);
        let mut wanted = context.and_then(|context| context.after);
        if let Some(seen) = wanted {
            check_incarnation(&*self.journal, seen)?;
        }
        if level == ReadLevel::Linearizable {
            let head = self.confirmed_head(limit).await?;
            wanted = Some(wanted.map_or(head, |seen| seen.max(head)));
        }
        if let Some(position) = wanted {
            let views = self.views.get(&TypeId::of::<M>());
            let reached = async {
                self.journal.applied().reach(position.offset).await;
                if let Some(views) = views {
                    views.reach(position.offset).await;
                }
            };
            timeout(&*self.host, limit.min(self.limits.visible_wait), reached)
                .await
                .map_err(|_| not_reached(&format!("position {position}")))?;
        }
        Sent::new(self, message, envelope).await
    }

    /// The end of the journal, once a leader has confirmed it and it is applied here.
    pub(crate) async fn confirmed_head(&self, limit: Duration) -> Result<Position, Fault> {
        let head = async {
            match self.committer.means() {
                Some(means) => Box::pin(confirmed_head(means)).await,
                None => self.journal.head(ReadLevel::Linearizable).await,
            }
        };
        let head = timeout(&*self.host, limit, head).await;
        head.map_err(|_| not_reached("a confirmed head of the journal"))?
    }

    pub(crate) fn position_at(&self, offset: catga_core::Offset) -> Position {
        Position { incarnation: self.journal.incarnation(), partition: 0, offset }
    }

    pub(crate) fn state(&self) -> NodeState {
        if self.lifecycle.is_running() { NodeState::Follower } else { NodeState::Draining }
    }
}

/// Refuses a position that must not be compared with this journal's.
pub(crate) fn check_incarnation(journal: &dyn Journal, seen: Position) -> Result<(), Fault> {
    if seen.incarnation == journal.incarnation() && seen.partition == 0 {
        return Ok(());
    }
    Err(Fault::new(
        FaultCode::PositionUnknown,
        format!(
            "position {seen} belongs to another incarnation of the journal, which may have lost \
             what you saw; read again without a position"
        ),
    ))
}

pub(crate) fn shutting_down() -> Fault {
    Fault::new(FaultCode::ShuttingDown, "the node is draining and takes nothing new")
}

fn not_reached(what: &str) -> Fault {
    Fault::new(
        FaultCode::PositionNotReached,
        format!("this node has not reached {what} in time; ask again, or ask another node"),
    )
}
