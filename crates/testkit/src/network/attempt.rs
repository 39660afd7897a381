//! Connections that are being made.

use std::io;
use std::task::{Context, Poll, Waker};

use super::connection::{Connection, Payload, Side, Socket};
use super::delivery::NO_ROOM_WAIT;
use super::machine::{BACKLOG_MAX, MachineId, address_of};
use super::net::{Event, Net};
use super::sending::ended;

/// A connect that waits for its answer.
pub(super) struct Attempt {
    from: (MachineId, u16),
    to: (MachineId, u16),
    step: Step,
    waker: Option<Waker>,
}

enum Step {
    /// It goes out.
    Asking,
    /// The answer comes back: the listener's, or that there is none.
    Answered(Option<u64>),
    /// It did not get through, one way or the other, and is sent again when it may.
    Held,
    Done(io::Result<Socket>),
}

impl Net {
    /// Begins to connect a process of `machine` with `address`.
    pub(super) fn begin_attempt(&mut self, machine: MachineId, address: &str) -> io::Result<u64> {
        let to = self.resolve(machine, address)?;
        let from = (machine, self.machines[machine].take_port()?);
        let number = self.number();
        let attempt = Attempt { from, to, step: Step::Asking, waker: None };
        self.attempts.insert(number, attempt);
        let latency = self.paths.draw_latency(from.0, to.0);
        self.schedule_in(latency, Event::Attempt(number));
        Ok(number)
    }

    pub(super) fn poll_attempt(
        &mut self,
        number: u64,
        cx: &Context<'_>,
    ) -> Poll<io::Result<Socket>> {
        let Some(attempt) = self.attempts.get_mut(&number) else {
            return Poll::Ready(Err(ended()));
        };
        if !matches!(attempt.step, Step::Done(_)) {
            attempt.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        match self.attempts.remove(&number).map(|attempt| attempt.step) {
            Some(Step::Done(done)) => Poll::Ready(done),
            _ => Poll::Ready(Err(ended())),
        }
    }

    /// Nobody waits for it any more.
    pub(super) fn abandon_attempt(&mut self, number: u64) {
        let Some(attempt) = self.attempts.remove(&number) else { return };
        self.wakes.extend(attempt.waker);
        match attempt.step {
            Step::Done(Ok(socket)) => self.close(socket),
            Step::Done(Err(_)) => {}
            _ => self.machines[attempt.from.0].release_port(attempt.from.1),
        }
    }

    /// The process on `machine` ends, with whatever it was about to connect.
    pub(super) fn drop_attempts(&mut self, machine: MachineId) {
        let own = self.attempts.iter().filter(|(_, attempt)| attempt.from.0 == machine);
        let own: Vec<_> = own.map(|(number, _)| *number).collect();
        own.into_iter().for_each(|number| self.abandon_attempt(number));
    }

    /// The question or the answer arrives.
    pub(super) fn step_attempt(&mut self, number: u64) {
        let Some(attempt) = self.attempts.get(&number) else { return };
        let (from, to) = (attempt.from, attempt.to);
        match attempt.step {
            Step::Asking if !self.is_open(from.0, to.0) => self.hold_attempt(number),
            Step::Asking => {
                let listening = self.machines[to.0].listeners.get(&to.1);
                if listening.is_some_and(|it| it.backlog.len() >= BACKLOG_MAX) {
                    return self.schedule_in(NO_ROOM_WAIT, Event::Attempt(number));
                }
                let answer = Step::Answered(listening.map(|listening| listening.id));
                self.set_step(number, answer);
                let latency = self.paths.draw_latency(to.0, from.0);
                self.schedule_in(latency, Event::Attempt(number));
            }
            Step::Answered(_) if !self.is_open(to.0, from.0) => self.hold_attempt(number),
            Step::Answered(listener) => {
                let done = match listener {
                    Some(listener) => Ok(self.connected(from, to, listener)),
                    None => Err(self.refused(from, to)),
                };
                self.set_step(number, Step::Done(done));
            }
            Step::Held | Step::Done(_) => {}
        }
    }

    fn set_step(&mut self, number: u64, step: Step) {
        if let Some(attempt) = self.attempts.get_mut(&number) {
            attempt.step = step;
            if matches!(attempt.step, Step::Done(_)) {
                self.wakes.extend(attempt.waker.take());
            }
        }
    }

    fn hold_attempt(&mut self, number: u64) {
        self.counts.held_back += 1;
        self.set_step(number, Step::Held);
    }

    /// Sends again what waits for one of these directions: from the beginning, as what was not
    /// answered is.
    pub(super) fn release_attempts(&mut self, is_meant: impl Fn(MachineId, MachineId) -> bool) {
        let held = self.attempts.iter().filter(|(_, attempt)| {
            let (from, to) = (attempt.from.0, attempt.to.0);
            matches!(attempt.step, Step::Held) && (is_meant(from, to) || is_meant(to, from))
        });
        let held: Vec<_> = held.map(|(n, attempt)| (*n, attempt.from.0, attempt.to.0)).collect();
        for (number, from, to) in held {
            self.set_step(number, Step::Asking);
            let delay = self.paths.draw_retransmission(from, to);
            self.schedule_in(delay, Event::Attempt(number));
        }
    }

    /// The caller has a connection; the listener is told.
    fn connected(&mut self, from: (MachineId, u16), to: (MachineId, u16), listener: u64) -> Socket {
        let connection = self.number();
        self.counts.connects += 1;
        let (source, target) = (&self.machines[from.0].name, &self.machines[to.0].name);
        self.note(format_args!("connect #{connection} {source}:{} {target}:{}", from.1, to.1));
        self.connections.insert(connection, Connection::new(from, to));
        self.send(connection, Side::Caller, Payload::Established { listener });
        Socket { connection, side: Side::Caller }
    }

    fn refused(&mut self, from: (MachineId, u16), to: (MachineId, u16)) -> io::Error {
        self.machines[from.0].release_port(from.1);
        self.counts.refused += 1;
        let (source, target) = (&self.machines[from.0].name, &self.machines[to.0].name);
        self.note(format_args!("refused {source}:{} {target}:{}", from.1, to.1));
        let what = format!("nobody listens on {target}:{} ({})", to.1, address_of(to.0, to.1));
        io::Error::new(io::ErrorKind::ConnectionRefused, what)
    }
}
