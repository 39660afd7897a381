use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use catga_host::{BoxFuture, Task};
use tokio::io::{AsyncRead, ReadHalf};
use tokio::sync::{Notify, oneshot, watch};

use crate::{Address, CallError, LinkState, NodeId, Topic};

use super::assembly::Assembly;
use super::batch::Batch;
use super::calls::Calls;
use super::connection::End;
use super::frame::Kind;
use super::ground::Ground;
use super::hello::Met;
use super::lane::{Lane, bytes_max};
use super::pulse::Pulse;
use super::reader::FrameReader;
use super::room::{Entered, Place, Rooms};
use super::stats::Traffic;
use super::verdict::{Attempt, after};
use super::{LinkStats, Protocol};

/// The way to the node at one address: the requests to it, and what is known of it.
pub(super) struct Dialled {
    pub(super) address: Address,
    ground: Arc<Ground>,
    state: watch::Sender<LinkState>,
    /// Locked for one step, never across an await.
    calls: Mutex<Calls>,
    rooms: Rooms,
    pub(super) traffic: Arc<Traffic>,
    protocol: Mutex<Option<Protocol>>,
    /// There is a reason to dial before the pause is over.
    pub(super) hurry: Notify,
    /// What keeps the connection; none as long as nobody wants one.
    pub(super) task: Mutex<Option<Task>>,
}

impl Dialled {
    /// A link that nobody keeps yet.
    pub(super) fn new(ground: &Arc<Ground>, address: Address) -> Self {
        Self {
            ground: Arc::clone(ground),
            state: watch::Sender::new(LinkState::Connecting),
            calls: Mutex::new(Calls::new(Arc::clone(&address))),
            rooms: Rooms::new(ground.options.in_flight_bytes),
            traffic: Arc::default(),
            protocol: Mutex::default(),
            hurry: Notify::new(),
            task: Mutex::default(),
            address,
        }
    }

    /// Sends a request once there is room and a connection, and waits for its answer.
    pub(super) fn call(
        self: Arc<Self>,
        id: Option<NodeId>,
        topic: Topic,
        request: Vec<Bytes>,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, CallError>> {
        let bytes = request.iter().map(Bytes::len).sum();
        let max = bytes_max(topic, self.ground.options.max_request);
        if bytes > max {
            let why = format!("it has {bytes} bytes, and at most {max} are taken");
            return Box::pin(std::future::ready(Err(CallError::NotSent(why))));
        }
        let until = self.ground.host.now() + within;
        match self.rooms.enter(Lane::of(topic), bytes) {
            // Here and now, so that the order is that of the calls, whoever is polled first.
            Entered::Now(place) => match self.open(id, topic, request, place) {
                Ok(call) => Box::pin(call.answered(until)),
                Err(error) => Box::pin(std::future::ready(Err(error))),
            },
            Entered::Later(later) => Box::pin(async move {
                let deadlines = Arc::clone(&self.ground.deadlines);
                let Ok((place, turn)) = deadlines.by(until, later).await else {
                    return Err(CallError::NotSent(self.kept_waiting("there was no room")));
                };
                let call = self.open(id, topic, request, place)?;
                drop(turn);
                call.answered(until).await
            }),
        }
    }

    fn open(
        self: Arc<Self>,
        id: Option<NodeId>,
        topic: Topic,
        request: Vec<Bytes>,
        place: Place,
    ) -> Result<Call, CallError> {
        let (number, answered) = self.lock().take(id, topic, request, Arc::clone(&place))?;
        Ok(Call { link: self, number, answered, _place: place })
    }

    /// Takes what comes on the connection: the answers.
    pub(super) async fn read<S>(&self, reader: &mut FrameReader<ReadHalf<S>>, pulse: &Pulse) -> End
    where
        S: AsyncRead,
    {
        let mut assembly = Assembly::new(self.ground.options.max_request);
        loop {
            let frame = match reader.next().await {
                Ok(frame) => frame,
                Err(error) => return error.into(),
            };
            let taken = match frame.header.kind {
                Kind::Answer | Kind::Failure => match assembly.add(frame) {
                    Ok(Some(whole)) => self.lock().answer(whole).map_err(End::Broken),
                    Ok(None) => Ok(()),
                    Err(why) => Err(End::Broken(why)),
                },
                _ => pulse.take(&frame),
            };
            if let Err(end) = taken {
                return end;
            }
        }
    }

    /// Moves what is sent next into `batch`.
    pub(super) fn fill(&self, batch: &mut Batch<Place>) {
        self.lock().fill(batch);
    }

    /// Begins no request more, and ends once none is unanswered; until
    /// [`go_on`](Self::go_on), or another connection.
    pub(super) async fn drain(&self) {
        let drained = self.lock().drain();
        drained.notified().await;
    }

    /// Begins those requests that wait.
    pub(super) fn go_on(&self) {
        self.lock().go_on();
    }

    /// There is a connection, and requests can be sent.
    pub(super) fn connected(&self, met: &Met, pulse: &Arc<Pulse>) {
        *self.protocol.lock().unwrap_or_else(PoisonError::into_inner) = Some(met.protocol);
        self.traffic.connected();
        self.lock().connect(met.peer.clone(), Arc::clone(pulse));
        self.change(LinkState::Up(met.peer.clone()));
    }

    /// The connection ended. Whether the node did is for the next attempt to find out, if nothing
    /// else says so.
    pub(super) fn lost(&self, end: &End) {
        match end {
            End::Left => self.change(LinkState::Left),
            End::Silent => self.change(LinkState::Silent),
            End::Lost(_) | End::Broken(_) | End::Closed | End::Renewed => {}
        }
        tracing::info!(address = %self.address, why = end.why(), "a link ended");
        self.lock().lose(&end.why());
    }

    /// An attempt to connect has come to nothing, or to nothing so far.
    pub(super) fn tried(&self, attempt: &Attempt) {
        let after = after(&self.state.borrow(), attempt);
        self.change(after);
    }

    /// Nobody wants the link any more, for good or until somebody does again.
    pub(super) fn end(&self, why: &str, for_good: bool) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        self.lock().end(why, for_good);
        self.change(LinkState::Connecting);
    }

    /// The node has said on another connection that it stops.
    pub(super) fn farewell(&self) {
        self.change(LinkState::Left);
    }

    /// Something happened to the node: looks at once how it is.
    pub(super) fn probe(&self) {
        match self.lock().pulse() {
            Some(pulse) => pulse.ping(),
            None => self.hurry.notify_one(),
        }
    }

    /// The node has dialled this one, so that it is there.
    pub(super) fn is_there(&self) {
        if self.lock().pulse().is_none() {
            self.hurry.notify_one();
        }
    }

    /// True if there is a connection.
    pub(super) fn is_up(&self) -> bool {
        self.lock().pulse().is_some()
    }

    /// True if the node numbered `id` is, or was, at the other end.
    pub(super) fn leads_to(&self, id: NodeId) -> bool {
        self.lock().peer() == Some(id)
    }

    /// True if the node numbered `id` is at the other end now.
    pub(super) fn is_up_to(&self, id: NodeId) -> bool {
        self.lock().is_on(id)
    }

    pub(super) fn watch(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    pub(super) fn is_watched(&self) -> bool {
        self.state.receiver_count() > 0
    }

    pub(super) fn stats(&self) -> LinkStats {
        let (waiting, unanswered) = self.lock().counts();
        self.traffic.fill(LinkStats {
            address: Arc::clone(&self.address),
            state: self.state.borrow().clone(),
            protocol: *self.protocol.lock().unwrap_or_else(PoisonError::into_inner),
            sent_bytes: 0,
            sent_frames: 0,
            received_bytes: 0,
            received_frames: 0,
            waiting,
            unanswered,
            reconnects: 0,
            round_trip: None,
        })
    }

    fn change(&self, state: LinkState) {
        self.state.send_if_modified(|current| {
            if *current == state {
                return false;
            }
            let address = &self.address;
            match &state {
                LinkState::Connecting => tracing::debug!(%address, "no link to a node yet"),
                LinkState::Up(peer) => {
                    tracing::info!(%address, node = %peer.name, "a node is there")
                }
                LinkState::Left => tracing::info!(%address, "a node stops"),
                LinkState::Gone => tracing::warn!(%address, "a node has ended"),
                LinkState::Silent => tracing::warn!(%address, "a node is silent"),
                LinkState::Refused(why) => tracing::warn!(%address, why, "no link to a node"),
            }
            *current = state;
            true
        });
    }

    fn kept_waiting(&self, why: &str) -> String {
        match &*self.state.borrow() {
            LinkState::Up(peer) => format!("{why} at the link to {}", peer.name),
            LinkState::Refused(refused) => format!("no link to {}: {refused}", self.address),
            state => format!("no link to {}: {state:?}", self.address),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &*self.state.borrow();
        f.debug_struct("Dialled").field("address", &self.address).field("state", state).finish()
    }
}

/// One request and the wait for its answer. Dropped, it is given up.
struct Call {
    link: Arc<Dialled>,
    number: u64,
    answered: oneshot::Receiver<Result<Bytes, CallError>>,
    /// Kept until the end: so what is not answered is bounded too.
    _place: Place,
}

impl Call {
    async fn answered(mut self, until: Duration) -> Result<Bytes, CallError> {
        let ground = Arc::clone(&self.link.ground);
        match ground.deadlines.by(until, &mut self.answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CallError::Lost("this node has ended".to_owned())),
            Err(_) if self.link.lock().withdraw(self.number) => {
                Err(CallError::NotSent(self.link.kept_waiting("it was not its turn")))
            }
            Err(_) => Err(CallError::TimedOut),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.link.lock().withdraw(self.number);
    }
}
