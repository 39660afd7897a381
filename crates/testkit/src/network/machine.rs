use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::Waker;

/// The place of a machine among those of its network.
pub(super) type MachineId = usize;

/// How many machines a network has at most: as many as one block of addresses.
pub(super) const MACHINES_MAX: usize = 250;

/// How many connections wait to be accepted, as tokio asks for.
pub(super) const BACKLOG_MAX: usize = 1024;

/// Ports that are given out, as by Linux; so they also bound how many connections a machine makes.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// A machine as the network knows it: what its kernel holds.
pub(super) struct Machine {
    pub(super) name: Arc<str>,
    pub(super) is_up: bool,
    /// Which host speaks for it: one that was replaced does not any more.
    pub(super) owner: u64,
    /// Which life of its process it is.
    pub(super) life: u64,
    pub(super) listeners: BTreeMap<u16, Listening>,
    /// Ports of connections that were made from here.
    ports: BTreeSet<u16>,
    next_port: u16,
}

/// A port that is listened on.
pub(super) struct Listening {
    pub(super) id: u64,
    /// Connections that wait to be accepted.
    pub(super) backlog: VecDeque<u64>,
    /// Whoever waits for one, in order; no more than ask at a time.
    pub(super) waiting: BTreeMap<u64, Waker>,
}

impl Machine {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            is_up: true,
            owner: 0,
            life: 0,
            listeners: BTreeMap::new(),
            ports: BTreeSet::new(),
            next_port: *EPHEMERAL.start(),
        }
    }

    /// A port that nobody uses, taken until [`release_port`](Self::release_port).
    pub(super) fn take_port(&mut self) -> io::Result<u16> {
        let port = self.free_port()?;
        self.ports.insert(port);
        Ok(port)
    }

    pub(super) fn release_port(&mut self, port: u16) {
        self.ports.remove(&port);
    }

    /// Listens on `port`, or on a free one if it is zero.
    pub(super) fn listen(&mut self, port: u16, id: u64) -> io::Result<u16> {
        let port = if port == 0 { self.free_port()? } else { port };
        if self.ports.contains(&port) || self.listeners.contains_key(&port) {
            let what = format!("port {port} of {} is in use", self.name);
            return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
        }
        let listening = Listening { id, backlog: VecDeque::new(), waiting: BTreeMap::new() };
        self.listeners.insert(port, listening);
        Ok(port)
    }

    fn free_port(&mut self) -> io::Result<u16> {
        for _ in EPHEMERAL {
            let port = self.next_port;
            self.next_port = if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 };
            if !self.ports.contains(&port) && !self.listeners.contains_key(&port) {
                return Ok(port);
            }
        }
        let what = format!("{} has no free port", self.name);
        Err(io::Error::new(io::ErrorKind::AddrNotAvailable, what))
    }
}

/// The address of a machine.
pub(super) fn address_of(machine: MachineId, port: u16) -> SocketAddr {
    let last = u8::try_from(machine + 1).expect("a network has at most 250 machines");
    (Ipv4Addr::new(10, 0, 0, last), port).into()
}
