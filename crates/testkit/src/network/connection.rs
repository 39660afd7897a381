use std::collections::VecDeque;
use std::task::Waker;

use tokio::time::Instant;

use super::machine::MachineId;

/// How many bytes of one direction are written and not yet known to be read.
pub(super) const WINDOW_BYTES: usize = 256 * 1024;

/// The most that one chunk holds.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) connection: u64,
    pub(super) side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Caller,
    Listener,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Caller => Self::Listener,
            Self::Listener => Self::Caller,
        }
    }
}

/// A connection: its ends, and what is on its way from each.
pub(super) struct Connection {
    ends: [End; 2],
    pipes: [Pipe; 2],
}

/// What the kernel of one machine knows of a connection.
pub(super) struct End {
    pub(super) machine: MachineId,
    pub(super) port: u16,
    pub(super) state: EndState,
    pub(super) received: VecDeque<u8>,
    /// The other end has said that nothing more comes.
    pub(super) eof: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndState {
    /// The listener has not heard yet that its caller knows of the connection.
    Coming,
    Open,
    /// The other end knows nothing of it. `after_eof`: it had said that nothing more comes.
    Reset {
        after_eof: bool,
    },
    /// No process holds it; the kernel still sends what was written.
    Closed,
    /// The machine lost power since.
    Gone,
}

/// What one end sends.
#[derive(Default)]
pub(super) struct Pipe {
    /// On their way, in order.
    pub(super) segments: VecDeque<Segment>,
    /// The first did not get through, and nothing goes until it is sent again.
    pub(super) is_held: bool,
    /// A delivery is among the events.
    pub(super) is_scheduled: bool,
    pub(super) sent_fin: bool,
    pub(super) sent_reset: bool,
    /// Written, and not known here to be read.
    pub(super) unacked_bytes: usize,
    /// Read at the other end, and not told yet.
    pub(super) read_bytes: usize,
    pub(super) ack: Ack,
}

/// What the reader tells the writer about room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ack {
    #[default]
    None,
    OnWay(usize),
    Held(usize),
}

pub(super) struct Segment {
    pub(super) sent: Instant,
    pub(super) due: Instant,
    pub(super) what: Payload,
}

pub(super) enum Payload {
    /// The caller knows of the connection: it can be accepted from this listener.
    Established {
        listener: u64,
    },
    Data(Vec<u8>),
    Fin,
    Reset,
}

impl Connection {
    /// As the caller sees it that was just answered.
    pub(super) fn new(caller: (MachineId, u16), listener: (MachineId, u16)) -> Self {
        let end = |(machine, port), state| End {
            machine,
            port,
            state,
            received: VecDeque::new(),
            eof: false,
            reader: None,
            writer: None,
        };
        Self {
            ends: [end(caller, EndState::Open), end(listener, EndState::Coming)],
            pipes: [Pipe::default(), Pipe::default()],
        }
    }

    pub(super) fn end(&self, side: Side) -> &End {
        &self.ends[side as usize]
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    /// What `side` sends.
    pub(super) fn pipe(&mut self, side: Side) -> &mut Pipe {
        &mut self.pipes[side as usize]
    }

    /// The machines between which `side` sends.
    pub(super) fn direction(&self, side: Side) -> (MachineId, MachineId) {
        (self.end(side).machine, self.end(side.other()).machine)
    }

    /// How many ends of it the process on `machine` holds.
    pub(super) fn held_by(&self, machine: MachineId) -> usize {
        let held = |end: &&End| {
            let is_held = !matches!(end.state, EndState::Closed | EndState::Gone);
            end.machine == machine && is_held
        };
        self.ends.iter().filter(held).count()
    }

    /// True if nobody can notice any more what becomes of it.
    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().all(|end| matches!(end.state, EndState::Closed | EndState::Gone))
    }
}

impl End {
    pub(super) fn wake_all(&mut self, wakes: &mut Vec<Waker>) {
        wakes.extend(self.reader.take());
        wakes.extend(self.writer.take());
    }
}
