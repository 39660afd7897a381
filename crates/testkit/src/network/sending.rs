//! What a process does with a connection that it holds: writing, reading and shutting down.

use std::io;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::connection::{Ack, CHUNK_BYTES, EndState, Payload, Segment, Side, Socket, WINDOW_BYTES};
use super::net::{Event, Net};

/// A reader tells of room when so much has come together, as TCP does.
const ACK_BYTES: usize = WINDOW_BYTES / 4;

impl Net {
    /// The state of an end that some process should hold.
    fn state(&self, socket: Socket) -> io::Result<EndState> {
        match self.connections.get(&socket.connection).map(|it| it.end(socket.side).state) {
            Some(state @ (EndState::Open | EndState::Reset { .. })) => Ok(state),
            _ => Err(ended()),
        }
    }

    pub(super) fn poll_read(
        &mut self,
        socket: Socket,
        cx: &Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let state = self.state(socket)?;
        let Socket { connection, side } = socket;
        let Some(it) = self.connections.get_mut(&connection) else {
            return Poll::Ready(Err(ended()));
        };
        let end = it.end_mut(side);
        if !end.received.is_empty() || buffer.remaining() == 0 {
            let (front, _) = end.received.as_slices();
            let read = front.len().min(buffer.remaining());
            buffer.put_slice(&front[..read]);
            end.received.drain(..read);
            it.pipe(side.other()).read_bytes += read;
            self.send_ack(connection, side.other());
            return Poll::Ready(Ok(()));
        }
        // What came before a reset counts, and so does the end that was told before it.
        if end.eof {
            return Poll::Ready(Ok(()));
        }
        if state != EndState::Open {
            return Poll::Ready(Err(reset()));
        }
        end.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn poll_write(
        &mut self,
        socket: Socket,
        cx: &Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let state = self.state(socket)?;
        let Socket { connection, side } = socket;
        let Some(it) = self.connections.get_mut(&connection) else {
            return Poll::Ready(Err(ended()));
        };
        match state {
            EndState::Reset { after_eof: false } => return Poll::Ready(Err(reset())),
            EndState::Reset { after_eof: true } => return Poll::Ready(Err(broken())),
            _ if it.pipe(side).sent_fin => return Poll::Ready(Err(broken())),
            _ => {}
        }
        let room = WINDOW_BYTES - it.pipe(side).unacked_bytes;
        let fits = data.len().min(room);
        if fits == 0 && !data.is_empty() {
            it.end_mut(side).writer = Some(cx.waker().clone());
            self.counts.waits += 1;
            return Poll::Pending;
        }
        it.pipe(side).unacked_bytes += fits;
        for chunk in data[..fits].chunks(CHUNK_BYTES) {
            self.send_data(connection, side, chunk);
        }
        Poll::Ready(Ok(fits))
    }

    pub(super) fn shut_down(&mut self, socket: Socket) -> io::Result<()> {
        if self.state(socket)? != EndState::Open {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.send_fin(socket.connection, socket.side);
        Ok(())
    }

    /// Sends a chunk, together with what was written just now, or in two parts.
    fn send_data(&mut self, connection: u64, side: Side, chunk: &[u8]) {
        let now = Instant::now();
        let last = self.connections.get_mut(&connection).map(|it| it.pipe(side));
        let last = last.and_then(|pipe| pipe.segments.back_mut());
        if let Some(Segment { sent, what: Payload::Data(data), .. }) = last
            && *sent == now
            && data.len() + chunk.len() <= CHUNK_BYTES
        {
            return data.extend_from_slice(chunk);
        }
        let split = self.paths.draw_split(chunk.len());
        self.counts.splits += u64::from(split.is_some());
        let (first, second) = chunk.split_at(split.unwrap_or(chunk.len()));
        self.send(connection, side, Payload::Data(first.to_vec()));
        if !second.is_empty() {
            self.send(connection, side, Payload::Data(second.to_vec()));
        }
    }

    pub(super) fn send_fin(&mut self, connection: u64, side: Side) {
        let Some(it) = self.connections.get_mut(&connection) else { return };
        if !std::mem::replace(&mut it.pipe(side).sent_fin, true) {
            self.send(connection, side, Payload::Fin);
        }
    }

    pub(super) fn send_reset(&mut self, connection: u64, side: Side) {
        let Some(it) = self.connections.get_mut(&connection) else { return };
        if !std::mem::replace(&mut it.pipe(side).sent_reset, true) {
            self.send(connection, side, Payload::Reset);
        }
    }

    pub(super) fn send(&mut self, connection: u64, side: Side, what: Payload) {
        let Some(it) = self.connections.get_mut(&connection) else { return };
        let (from, to) = it.direction(side);
        let now = Instant::now();
        let mut due = now + self.paths.draw_latency(from, to);
        let pipe = it.pipe(side);
        if let Some(last) = pipe.segments.back() {
            due = due.max(last.due);
        }
        pipe.segments.push_back(Segment { sent: now, due, what });
        if pipe.is_held {
            self.counts.held_back += 1;
        } else if !std::mem::replace(&mut pipe.is_scheduled, true) {
            self.schedule(due, Event::Deliver(connection, side));
        }
    }

    /// Tells the writer `side` how much of its bytes was read, if that is worth telling.
    pub(super) fn send_ack(&mut self, connection: u64, side: Side) {
        let Some(it) = self.connections.get_mut(&connection) else { return };
        let (writer, reader) = it.direction(side);
        let pipe = it.pipe(side);
        if pipe.ack == Ack::None && pipe.read_bytes >= ACK_BYTES {
            pipe.ack = Ack::OnWay(std::mem::take(&mut pipe.read_bytes));
            let latency = self.paths.draw_latency(reader, writer);
            self.schedule_in(latency, Event::Ack(connection, side));
        }
    }
}

#[cold]
pub(super) fn ended() -> io::Error {
    let what = "this was made by a process that has ended, or on a machine that was replaced";
    io::Error::new(io::ErrorKind::NotConnected, what)
}

#[cold]
fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

#[cold]
fn broken() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}
