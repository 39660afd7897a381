use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use catga_host::{Accept, BoxFuture, Connection};

use super::connection::{Side, Socket};
use super::machine::{MachineId, address_of};
use super::net::Net;
use super::sending::ended;
use super::sim_network::SimNetwork;
use super::stream::Stream;

/// A port that a process listens on.
pub(super) struct SimListener {
    pub(super) network: SimNetwork,
    pub(super) machine: MachineId,
    /// As it was asked for, the port filled in.
    pub(super) address: SocketAddr,
    pub(super) id: u64,
}

impl Accept for SimListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Connection, SocketAddr)>> {
        Box::pin(async move {
            let waiter = Waiter { listener: self, number: self.network.with(Net::number) };
            let accepted = poll_fn(|cx| self.network.with(|net| net.poll_accept(&waiter, cx)));
            let (socket, peer) = accepted.await?;
            let network = self.network.clone();
            Ok((Connection::new(Stream { network, socket }), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let (machine, port) = (self.machine, self.address.port());
        self.network.with(|net| net.stop_listening(machine, port, self.id));
    }
}

/// Somebody who accepts.
struct Waiter<'a> {
    listener: &'a SimListener,
    number: u64,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let SimListener { machine, address, id, .. } = self.listener;
        self.listener.network.with(|net| {
            let listening = net.machines[*machine].listeners.get_mut(&address.port());
            if let Some(listening) = listening.filter(|listening| listening.id == *id) {
                net.wakes.extend(listening.waiting.remove(&self.number));
            }
        });
    }
}

impl Net {
    fn poll_accept(
        &mut self,
        waiter: &Waiter<'_>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<(Socket, SocketAddr)>> {
        let SimListener { machine, address, id, .. } = waiter.listener;
        let listening = self.machines[*machine].listeners.get_mut(&address.port());
        let Some(listening) = listening.filter(|listening| listening.id == *id) else {
            return Poll::Ready(Err(ended()));
        };
        let Some(connection) = listening.backlog.pop_front() else {
            listening.waiting.insert(waiter.number, cx.waker().clone());
            return Poll::Pending;
        };
        let Some(it) = self.connections.get(&connection) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        };
        let caller = it.end(Side::Caller);
        let peer = address_of(caller.machine, caller.port);
        Poll::Ready(Ok((Socket { connection, side: Side::Listener }, peer)))
    }
}
