//! What becomes of that which is on its way.

use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Ack, EndState, Payload, Segment, Side};
use super::machine::{BACKLOG_MAX, MachineId};
use super::net::{Event, Net};

/// How long until it is tried again where there was no room: TCP's first wait.
pub(super) const NO_ROOM_WAIT: Duration = Duration::from_secs(1);

impl Net {
    /// Delivers what `side` sent and is due, unless it does not get through.
    pub(super) fn deliver(&mut self, connection: u64, side: Side, now: Instant) {
        let Some(it) = self.connections.get_mut(&connection) else { return };
        it.pipe(side).is_scheduled = false;
        let (from, to) = it.direction(side);
        loop {
            let is_open = self.is_open(from, to);
            let Some(it) = self.connections.get_mut(&connection) else { return };
            let pipe = it.pipe(side);
            let Some(due) = pipe.segments.front().map(|first| first.due) else { return };
            if due > now {
                pipe.is_scheduled = true;
                return self.schedule(due, Event::Deliver(connection, side));
            }
            if !is_open {
                return self.hold(connection, side);
            }
            let segment = pipe.segments.pop_front().map(|first| first.what);
            let later = segment.and_then(|what| self.arrive(connection, side, what));
            if let (Some(what), Some(it)) = (later, self.connections.get_mut(&connection)) {
                let due = now + NO_ROOM_WAIT;
                it.pipe(side).segments.push_front(Segment { sent: now, due, what });
            }
        }
    }

    /// Holds back what did not get through, and what comes behind it.
    fn hold(&mut self, connection: u64, side: Side) {
        let Some(it) = self.connections.get_mut(&connection) else { return };
        it.pipe(side).is_held = true;
        self.counts.held_back += it.pipe(side).segments.len() as u64;
        if it.end(side).state == EndState::Gone {
            self.lose(connection, side);
        }
    }

    /// What is held back and was sent by a machine that lost power is sent again by nobody; but a
    /// reset is, whenever the other end tries again.
    pub(super) fn lose(&mut self, connection: u64, side: Side) {
        let Some(it) = self.connections.get_mut(&connection) else { return };
        let is_reset = |segment: &Segment| matches!(segment.what, Payload::Reset);
        it.pipe(side).segments.retain(is_reset);
        let other = it.end_mut(side.other());
        if other.state == EndState::Coming {
            other.state = EndState::Closed;
        }
        self.forget_if_over(connection);
    }

    /// What `side` sent arrives at the other end; or comes back, because there is no room.
    fn arrive(&mut self, connection: u64, side: Side, what: Payload) -> Option<Payload> {
        let it = self.connections.get_mut(&connection)?;
        let other = side.other();
        let end = it.end_mut(other);
        match (what, end.state) {
            (Payload::Established { listener }, _) => {
                return self.establish(connection, other, listener);
            }
            (Payload::Data(data), EndState::Open) => {
                end.received.extend(&data);
                self.wakes.extend(end.reader.take());
                self.counts.chunks += 1;
                self.counts.bytes += data.len() as u64;
                self.arrived.add(connection, side, data.len());
            }
            (Payload::Fin, EndState::Open) => {
                end.eof = true;
                self.wakes.extend(end.reader.take());
                self.note(format_args!("end #{connection} {side:?}"));
            }
            // Both have closed, and agree.
            (Payload::Fin, EndState::Closed) => {}
            (Payload::Data(_) | Payload::Fin, EndState::Reset { .. }) => {}
            (Payload::Data(_) | Payload::Fin, _) => self.send_reset(connection, other),
            (Payload::Reset, _) => self.hear_reset(connection, other),
        }
        None
    }

    /// The listener hears that its caller knows of the connection.
    fn establish(&mut self, connection: u64, side: Side, listener: u64) -> Option<Payload> {
        let it = self.connections.get_mut(&connection)?;
        let end = it.end_mut(side);
        let listening = self.machines[end.machine].listeners.get_mut(&end.port);
        match listening.filter(|listening| listening.id == listener) {
            // Its process ended meanwhile.
            None => {
                end.state = EndState::Closed;
                self.send_reset(connection, side);
            }
            Some(full) if full.backlog.len() >= BACKLOG_MAX => {
                return Some(Payload::Established { listener });
            }
            Some(listening) => {
                end.state = EndState::Open;
                listening.backlog.push_back(connection);
                // One takes it; which of them, they decide.
                self.wakes.extend(std::mem::take(&mut listening.waiting).into_values());
            }
        }
        None
    }

    pub(super) fn hear_reset(&mut self, connection: u64, side: Side) {
        let Some(it) = self.connections.get_mut(&connection) else { return };
        it.pipe(side).segments.clear();
        let end = it.end_mut(side);
        match end.state {
            EndState::Open => {
                end.state = EndState::Reset { after_eof: end.eof };
                end.wake_all(&mut self.wakes);
                self.counts.resets += 1;
                self.note(format_args!("reset #{connection} {side:?}"));
            }
            EndState::Coming => end.state = EndState::Closed,
            EndState::Reset { .. } | EndState::Closed | EndState::Gone => {}
        }
        self.forget_if_over(connection);
    }

    /// The writer `side` hears that some of its bytes were read.
    pub(super) fn hear_ack(&mut self, connection: u64, side: Side) {
        let Some(it) = self.connections.get(&connection) else { return };
        let (writer, reader) = it.direction(side);
        let is_open = self.is_open(reader, writer);
        let Some(it) = self.connections.get_mut(&connection) else { return };
        let Ack::OnWay(bytes) = it.pipe(side).ack else { return };
        if !is_open {
            it.pipe(side).ack = Ack::Held(bytes);
            return;
        }
        it.pipe(side).ack = Ack::None;
        it.pipe(side).unacked_bytes -= bytes;
        self.wakes.extend(it.end_mut(side).writer.take());
        self.send_ack(connection, side);
    }

    /// Sends again what was held back in the directions of which `is_meant` holds, and which are
    /// open now.
    pub(super) fn release(&mut self, is_meant: impl Fn(MachineId, MachineId) -> bool) {
        let connections: Vec<_> = self.connections.keys().copied().collect();
        for connection in connections {
            for side in [Side::Caller, Side::Listener] {
                self.release_pipe(connection, side, &is_meant);
                self.release_ack(connection, side, &is_meant);
            }
        }
        self.release_attempts(is_meant);
    }

    fn release_pipe(
        &mut self,
        connection: u64,
        side: Side,
        is_meant: impl Fn(MachineId, MachineId) -> bool,
    ) {
        let Some(it) = self.connections.get(&connection) else { return };
        let (from, to) = it.direction(side);
        if !is_meant(from, to) || !self.is_open(from, to) {
            return;
        }
        let Some(it) = self.connections.get_mut(&connection) else { return };
        let pipe = it.pipe(side);
        if !std::mem::take(&mut pipe.is_held) || pipe.segments.is_empty() {
            return;
        }
        let due = Instant::now() + self.paths.draw_retransmission(from, to);
        for segment in &mut pipe.segments {
            segment.due = segment.due.max(due);
        }
        pipe.is_scheduled = true;
        self.schedule(due, Event::Deliver(connection, side));
    }

    fn release_ack(
        &mut self,
        connection: u64,
        side: Side,
        is_meant: impl Fn(MachineId, MachineId) -> bool,
    ) {
        let Some(it) = self.connections.get(&connection) else { return };
        let (writer, reader) = it.direction(side);
        if !is_meant(reader, writer) || !self.is_open(reader, writer) {
            return;
        }
        let Some(it) = self.connections.get_mut(&connection) else { return };
        if let Ack::Held(bytes) = it.pipe(side).ack {
            it.pipe(side).ack = Ack::OnWay(bytes);
            let delay = self.paths.draw_retransmission(reader, writer);
            self.schedule_in(delay, Event::Ack(connection, side));
        }
    }
}
