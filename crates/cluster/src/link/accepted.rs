use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use catga_host::{Connection, timeout};
use tokio::io::{AsyncRead, ReadHalf};

use crate::Peer;

use super::assembly::{Assembly, Whole};
use super::batch::Batch;
use super::connection::{End, Wires, run};
use super::dial::HANDSHAKE_WAIT;
use super::frame::Kind;
use super::ground::Ground;
use super::handshake::{Unmet, refuse, say_farewell, shake};
use super::hello::Met;
use super::lane::{LANES, Lane};
use super::outbox::{Message, Outbox};
use super::pulse::Pulse;
use super::reader::FrameReader;
use super::secret::Role;
use super::serving::{Reply, Slot, Slots};
use super::shared::Shared;
use super::turn::Turn;

/// What a request that waits for its handler takes beside its bytes.
const OVERHEAD_BYTES: usize = 256;

/// A connection that a peer has dialled: its requests, and the answers to them.
pub(super) struct Accepted {
    shared: Arc<Shared>,
    peer: Peer,
    pulse: Arc<Pulse>,
    slots: Arc<Slots>,
    turn: Arc<Turn>,
    /// Which connection of this node it is.
    number: u64,
    /// Locked for one step, never across an await.
    answers: Mutex<Answers>,
}

struct Answers {
    /// Their slots bound them.
    outbox: Outbox<Slot>,
    next: u64,
    ended: bool,
}

/// Runs a connection that somebody has dialled to its end.
pub(super) async fn accept(shared: Arc<Shared>, connection: Connection) {
    let host = Arc::clone(&shared.ground.host);
    let met = {
        let Ok(_place) = shared.handshakes.try_acquire() else {
            tracing::warn!("too many handshakes at once: a connection is dropped");
            return;
        };
        let meet = meet(&shared.ground, connection, shared.has_left());
        timeout(&*host, HANDSHAKE_WAIT, meet).await
    };
    let (met, mut wires) = match met {
        Ok(Ok(met)) => met,
        Ok(Err(Unmet::Refused(why))) => return tracing::warn!(why, "a node was refused"),
        Ok(Err(Unmet::Left)) => return,
        Ok(Err(Unmet::Failed(why))) => return tracing::debug!(why, "no link was made"),
        Err(_) => return tracing::warn!("a handshake took too long, and was cut off"),
    };
    let link = shared.link_to(&met);
    let traffic = link.as_ref().map(|link| Arc::clone(&link.traffic)).unwrap_or_default();
    let pulse = Pulse::new(Arc::clone(&shared.ground), traffic);
    let entered = match shared.enter(&pulse) {
        Ok(entered) => entered,
        Err(why) => {
            tracing::warn!(peer = %met.peer.name, why, "a node was refused");
            let refuse = refuse(&shared.ground, &mut wires, why);
            let _ = timeout(&*host, HANDSHAKE_WAIT, refuse).await;
            return;
        }
    };
    let name = met.peer.name.clone();
    if let Some(link) = &link {
        link.is_there();
    }
    let turn = shared.turn_of(met.peer.id);
    turn.pass(entered.number);
    let accepted = Arc::new(Accepted {
        peer: met.peer,
        pulse: Arc::clone(&pulse),
        slots: Arc::default(),
        turn,
        number: entered.number,
        answers: Mutex::new(Answers { outbox: Outbox::new(), next: 0, ended: false }),
        shared: Arc::clone(&shared),
    });
    let _ends = EndsWith(&accepted);
    let Wires { mut reader, writer, .. } = wires;
    reader.tell(Arc::clone(&pulse));
    let read = accepted.read(&mut reader);
    let run = run(&shared.ground, &pulse, writer, read, |batch| accepted.fill(batch));
    let end = match shared.ground.options.tls.as_ref().map(|tls| tls.link_age_max()) {
        // The node that dialled makes it anew before. One that does not must not live on in it.
        Some(age) => timeout(&*host, age * 2, run).await.unwrap_or(End::Closed),
        None => run.await,
    };
    tracing::info!(peer = %name, why = end.why(), "a link that a node dialled ended");
    // A link may have been made meanwhile.
    let link = link.or_else(|| shared.link_to_peer(accepted.peer.id));
    match (link, end) {
        (Some(link), End::Left) => link.farewell(),
        (Some(link), _) => link.probe(),
        (None, _) => {}
    }
}

/// Makes a link of a connection that somebody has dialled, or says farewell there if this node
/// `leaves`. The caller sees to it that it ends in time.
pub(super) async fn meet(
    ground: &Ground,
    mut connection: Connection,
    leaves: bool,
) -> Result<(Met, Wires<Connection>), Unmet> {
    let mut certified = None;
    if let Some(tls) = &ground.options.tls {
        let (inside, who) = tls.accept(connection).await?;
        (connection, certified) = (inside, Some(who));
    }
    let mut wires = Wires { certified, ..Wires::new(connection, BytesMut::new()) };
    if leaves {
        say_farewell(ground, &mut wires).await;
        return Err(Unmet::Left);
    }
    let met = shake(ground, &mut wires, Role::Acceptor).await?;
    Ok((met, wires))
}

impl Accepted {
    /// Takes what comes on the connection: the requests.
    async fn read<S: AsyncRead>(self: &Arc<Self>, reader: &mut FrameReader<ReadHalf<S>>) -> End {
        let max_waiting = self.shared.ground.options.in_flight_bytes;
        let mut assembly = Assembly::new(self.request_max());
        let mut newest = [0; LANES];
        // Requests that wait for their handler, so that urgent ones behind them do not.
        let mut waiting = VecDeque::<Whole>::new();
        let mut waiting_bytes = 0;
        loop {
            while self.slots.is_free(Lane::Main)
                && let Some(whole) = waiting.pop_front()
            {
                waiting_bytes -= whole.payload.len() + OVERHEAD_BYTES;
                if let Err(end) = self.hand_over(whole) {
                    return end;
                }
            }
            let full = waiting_bytes > max_waiting;
            self.pulse.stand(full);
            let frame = tokio::select! {
                biased;
                frame = reader.next(), if !full => frame,
                () = self.slots.freed.notified(), if !waiting.is_empty() => continue,
            };
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return error.into(),
            };
            if frame.header.kind != Kind::Request {
                match self.pulse.take(&frame) {
                    Ok(()) => continue,
                    Err(end) => return end,
                }
            }
            if self.pulse.is_closing() {
                continue;
            }
            let whole = match assembly.add(frame) {
                Ok(Some(whole)) => whole,
                Ok(None) => continue,
                Err(why) => return End::Broken(why),
            };
            let lane = Lane::of(whole.topic);
            let before = std::mem::replace(&mut newest[lane.index()], whole.header.number);
            if whole.header.number <= before {
                return End::Broken(format!("number {} after {before}", whole.header.number));
            }
            if lane == Lane::Urgent {
                if !self.slots.is_free(lane) {
                    return End::Broken("too many urgent requests at once".to_owned());
                }
                if let Err(end) = self.hand_over(whole) {
                    return end;
                }
            } else {
                waiting_bytes += whole.payload.len() + OVERHEAD_BYTES;
                waiting.push_back(whole);
            }
        }
    }

    /// Gives a request to its handler, and sees to it that it is answered.
    fn hand_over(self: &Arc<Self>, whole: Whole) -> Result<(), End> {
        let Whole { header, topic, payload } = whole;
        let slot = self.slots.enter(Lane::of(topic));
        let reply = Reply::new(Arc::clone(self), topic, header.number, slot);
        let Some(handler) = self.shared.handler.get() else {
            reply.send(Err("this node is starting".to_owned()));
            return Ok(());
        };
        let serve = || catch_unwind(AssertUnwindSafe(|| handler.serve(&self.peer, topic, payload)));
        let Some(serving) = self.turn.of(self.number, serve) else {
            reply.send(Err("a newer connection has taken the place of this one".to_owned()));
            return Err(End::Broken("it has dialled again, and this is the older one".to_owned()));
        };
        // One that panicked leaves its reply to be dropped.
        if let Ok(serving) = serving {
            let serve = async move { reply.send(serving.await) };
            self.shared.spawn_for(topic, "peer request", Box::pin(serve));
        }
        Ok(())
    }

    /// Sends an answer, if there is still somebody to get it.
    pub(super) fn answer(&self, message: Message<Slot>) {
        let mut answers = self.lock();
        if answers.ended {
            return;
        }
        let place = answers.next;
        answers.next += 1;
        answers.outbox.push(place, message);
        drop(answers);
        self.pulse.wake.notify_one();
    }

    /// How long a request, and an answer, may be.
    pub(super) fn request_max(&self) -> usize {
        self.shared.ground.options.max_request
    }

    fn fill(&self, batch: &mut Batch<Slot>) {
        self.lock().outbox.fill(batch, |_, _| true);
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Lets go of the answers that nobody gets, however the connection ends.
struct EndsWith<'a>(&'a Accepted);

impl Drop for EndsWith<'_> {
    fn drop(&mut self) {
        let outbox = {
            let mut answers = self.0.lock();
            answers.ended = true;
            std::mem::replace(&mut answers.outbox, Outbox::new())
        };
        drop(outbox);
        self.0.shared.forget_turn(self.0.peer.id, self.0.number);
    }
}
