use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{self, Arc, Mutex, PoisonError};
use std::time::Duration;

use super::connection::Side;
use super::counts::Counts;
use super::machine::MachineId;
use super::net::Net;
use super::wire::Wire;
use crate::Trace;

/// A network of simulated machines, which can be slow or cut. Clones are the same network.
///
/// [The module](crate::network) says what of TCP it models. All that chance decides follows from a
/// seed, and what happens is noted in a trace. Its machines share one paused runtime of one thread.
///
/// ```
/// use std::time::Duration;
///
/// use catga_host::Host;
/// use catga_testkit::disk::SimDisk;
/// use catga_testkit::network::SimNetwork;
/// use catga_testkit::{Trace, VirtualHost};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// catga_testkit::block_on(async {
///     let network = SimNetwork::new(7, Trace::new());
///     let one = VirtualHost::in_network(1, SimDisk::new(1), &network, "node1");
///     let two = VirtualHost::in_network(2, SimDisk::new(2), &network, "node2");
///     let listener = two.listen("0.0.0.0:5001".parse().expect("an address")).await?;
///     let mut there = one.connect("node2:5001").await?;
///     let (mut here, _) = listener.accept().await?;
///
///     network.cut("node1", "node2");
///     there.write_all(b"late").await?;
///     one.advance(Duration::from_secs(60)).await;
///     network.heal("node1", "node2");
///     let mut heard = [0; 4];
///     here.read_exact(&mut heard).await?;
///     assert_eq!(&heard, b"late");
///     assert!(two.now() > Duration::from_secs(60));
///     std::io::Result::Ok(())
/// })
/// # .expect("a network in order");
/// ```
#[derive(Clone)]
pub struct SimNetwork {
    /// Locked for one call, which ends without waiting for anything.
    net: Arc<Mutex<Net>>,
}

/// A network, unless everybody else has let go of it.
pub(super) struct Weak(sync::Weak<Mutex<Net>>);

impl SimNetwork {
    /// A network without machines, whose latencies are 0.1 to 2 ms. All that chance decides follows
    /// from `seed`; what happens is noted in `trace` under the name `net`.
    pub fn new(seed: u64, trace: Trace) -> Self {
        Self { net: Arc::new(Mutex::new(Net::new(seed, trace.named("net")))) }
    }

    /// What is sent from now on takes some time in this range, where nothing else was said.
    pub fn set_latency(&self, range: RangeInclusive<Duration>) {
        self.with(|net| net.paths.latency = range);
    }

    /// What is sent from now on from one machine to another takes some time in this range. The way
    /// back stays as it is.
    ///
    /// # Panics
    /// If there are no such machines.
    #[track_caller]
    pub fn set_latency_between(&self, from: &str, to: &str, range: RangeInclusive<Duration>) {
        let (from, to) = (self.machine(from), self.machine(to));
        self.with(|net| net.paths.set_latency(from, to, range));
    }

    /// Nothing that arrives from now on gets through from `from` to `to`, until it is healed. The
    /// way back stays as it is.
    ///
    /// # Panics
    /// If there are no such machines.
    #[track_caller]
    pub fn cut(&self, from: &str, to: &str) {
        let (from, to) = (self.machine(from), self.machine(to));
        self.with(|net| net.cut(from, to));
    }

    /// What goes from `from` to `to` gets through again; what was lost is sent again, and arrives
    /// up to 200 ms and the latency later.
    ///
    /// # Panics
    /// If there are no such machines.
    #[track_caller]
    pub fn heal(&self, from: &str, to: &str) {
        let (from, to) = (self.machine(from), self.machine(to));
        self.with(|net| net.heal(&[(from, to)]));
    }

    /// Cuts both ways between `name` and every other machine that is attached by now.
    ///
    /// # Panics
    /// If there is no such machine.
    #[track_caller]
    pub fn isolate(&self, name: &str) {
        let one = self.machine(name);
        self.with(|net| {
            for other in 0..net.machines.len() {
                net.cut(one, other);
                net.cut(other, one);
            }
        });
    }

    /// Heals every direction.
    pub fn heal_all(&self) {
        self.with(|net| {
            let cuts = net.paths.cuts();
            net.heal(&cuts);
        });
    }

    /// Breaks every connection between two machines, as a firewall does that loses its table: both
    /// ends are reset at once, and what was on its way is lost. New ones can be made.
    ///
    /// # Panics
    /// If there are no such machines.
    #[track_caller]
    pub fn reset(&self, a: &str, b: &str) {
        let (a, b) = (self.machine(a), self.machine(b));
        self.with(|net| net.reset(a, b));
    }

    /// How many ends of connections the process on a machine holds.
    ///
    /// # Panics
    /// If there is no such machine.
    #[track_caller]
    pub fn connections(&self, name: &str) -> usize {
        let machine = self.machine(name);
        self.with(|net| net.connections.values().map(|it| it.held_by(machine)).sum())
    }

    /// What it went through.
    pub fn counts(&self) -> Counts {
        self.with(|net| net.counts)
    }

    /// Where it notes what happens.
    pub(crate) fn trace(&self) -> Trace {
        self.with(|net| net.trace.clone())
    }

    /// Takes a machine in. The first one brings the runtime on which things arrive.
    pub(super) fn attach(&self, name: &str) -> (MachineId, u64) {
        if self.with(|net| net.machines.is_empty()) {
            drop(tokio::spawn(Wire::new(self)));
        }
        self.with(|net| net.attach(name))
    }

    /// Looks at the network or changes it, and then wakes whoever has reason to.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Net) -> T) -> T {
        let mut net = self.net.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut net);
        let wakes = std::mem::take(&mut net.wakes);
        drop(net);
        wakes.into_iter().for_each(std::task::Waker::wake);
        changed
    }

    pub(super) fn downgrade(&self) -> Weak {
        Weak(Arc::downgrade(&self.net))
    }

    #[track_caller]
    fn machine(&self, name: &str) -> MachineId {
        match self.with(|net| net.find(name)) {
            Some(machine) => machine,
            None => panic!("no machine of this network is called {name:?}"),
        }
    }
}

impl Weak {
    pub(super) fn upgrade(&self) -> Option<SimNetwork> {
        self.0.upgrade().map(|net| SimNetwork { net })
    }
}

impl Net {
    fn cut(&mut self, from: MachineId, to: MachineId) {
        if self.paths.set_cut(from, to, true) {
            self.counts.cuts += 1;
            let (from, to) = (&self.machines[from].name, &self.machines[to].name);
            self.note(format_args!("cut {from} {to}"));
        }
    }

    fn heal(&mut self, directions: &[(MachineId, MachineId)]) {
        for &(from, to) in directions {
            if self.paths.set_cut(from, to, false) {
                self.counts.heals += 1;
                let (from, to) = (&self.machines[from].name, &self.machines[to].name);
                self.note(format_args!("heal {from} {to}"));
            }
        }
        // All at once: a connect needs both ways.
        self.release(|from, to| directions.contains(&(from, to)));
    }

    fn reset(&mut self, a: MachineId, b: MachineId) {
        let between = self.connections.iter().filter(|(_, it)| {
            let ends = it.direction(Side::Caller);
            ends == (a, b) || ends == (b, a)
        });
        let between: Vec<_> = between.map(|(connection, _)| *connection).collect();
        for connection in between {
            for side in [Side::Caller, Side::Listener] {
                self.hear_reset(connection, side);
            }
        }
    }
}

impl fmt::Debug for SimNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.with(|net| Vec::from_iter(net.machines.iter().map(|it| it.name.clone())));
        f.debug_struct("SimNetwork")
            .field("machines", &names)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
