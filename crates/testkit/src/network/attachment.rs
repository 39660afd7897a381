use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use catga_host::{Connection, Listener};

use super::listener::SimListener;
use super::machine::MachineId;
use super::net::Net;
use super::sending::ended;
use super::sim_network::SimNetwork;
use super::stream::Stream;

/// What a machine has of its network.
pub(crate) struct Attachment {
    network: SimNetwork,
    machine: MachineId,
    owner: u64,
    name: String,
}

/// A process, for as long as it lives.
#[derive(Clone, Copy)]
struct Process {
    machine: MachineId,
    owner: u64,
    life: u64,
}

impl Attachment {
    pub(crate) fn new(network: &SimNetwork, name: &str) -> Self {
        let (machine, owner) = network.attach(name);
        Self { network: network.clone(), machine, owner, name: name.to_owned() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn listen(
        &self,
        mut address: SocketAddr,
    ) -> impl Future<Output = io::Result<Listener>> + Send + use<> {
        let (network, process) = (self.network.clone(), self.process());
        async move {
            let (port, id) = network.with(|net| {
                process.check(net)?;
                let id = net.number();
                let port = net.machines[process.machine].listen(address.port(), id)?;
                io::Result::Ok((port, id))
            })?;
            address.set_port(port);
            Ok(Listener::new(SimListener { network, machine: process.machine, address, id }))
        }
    }

    pub(crate) fn connect(
        &self,
        address: &str,
    ) -> impl Future<Output = io::Result<Connection>> + Send + use<> {
        let (network, process) = (self.network.clone(), self.process());
        let address = address.to_owned();
        async move {
            let number = network.with(|net| {
                process.check(net)?;
                net.begin_attempt(process.machine, &address)
            })?;
            let connecting = Connecting { network: &network, number };
            let done = poll_fn(|cx| connecting.network.with(|net| net.poll_attempt(number, cx)));
            let socket = done.await?;
            Ok(Connection::new(Stream { network: network.clone(), socket }))
        }
    }

    /// The process has ended, and its kernel goes on.
    pub(crate) fn end_process(&self) {
        self.if_own(|net| net.end_process(self.machine));
    }

    pub(crate) fn power_off(&self) {
        self.if_own(|net| {
            net.note(format_args!("power off {}", self.name));
            net.power_off(self.machine);
        });
    }

    pub(crate) fn power_on(&self) {
        self.if_own(|net| net.power_on(self.machine));
    }

    fn process(&self) -> Process {
        let life = self.network.with(|net| net.machines[self.machine].life);
        Process { machine: self.machine, owner: self.owner, life }
    }

    /// Unless another host has taken the machine's place.
    fn if_own(&self, change: impl FnOnce(&mut Net)) {
        self.network.with(|net| {
            if net.machines[self.machine].owner == self.owner {
                change(net);
            }
        });
    }
}

impl Process {
    fn check(&self, net: &Net) -> io::Result<()> {
        let machine = &net.machines[self.machine];
        if machine.owner == self.owner && machine.life == self.life && machine.is_up {
            Ok(())
        } else {
            Err(ended())
        }
    }
}

/// Gives an attempt up when it is dropped before it is done.
struct Connecting<'a> {
    network: &'a SimNetwork,
    number: u64,
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        self.network.with(|net| net.abandon_attempt(self.number));
    }
}
