//! How ends of connections are given up.

use super::connection::{EndState, Side, Socket};
use super::machine::MachineId;
use super::net::Net;

impl Net {
    /// The process lets go of an end. What it wrote still goes out.
    pub(super) fn close(&mut self, socket: Socket) {
        let Socket { connection, side } = socket;
        let Some(it) = self.connections.get_mut(&connection) else { return };
        let end = it.end_mut(side);
        let was = end.state;
        if !matches!(was, EndState::Open | EndState::Reset { .. }) {
            return;
        }
        end.state = EndState::Closed;
        end.wake_all(&mut self.wakes);
        let unread = !std::mem::take(&mut end.received).is_empty();
        match was {
            EndState::Open if unread => self.send_reset(connection, side),
            EndState::Open => self.send_fin(connection, side),
            _ => {}
        }
        self.forget_if_over(connection);
    }

    /// The process lets go of an end that nobody has accepted.
    fn close_unaccepted(&mut self, connection: u64) {
        let side = Side::Listener;
        let Some(it) = self.connections.get_mut(&connection) else { return };
        if it.end(side).state == EndState::Open {
            self.send_reset(connection, side);
        }
        self.close(Socket { connection, side });
    }

    /// Nobody listens on `port` any more, if this is the listener that does.
    pub(super) fn stop_listening(&mut self, machine: MachineId, port: u16, id: u64) {
        let listeners = &mut self.machines[machine].listeners;
        if listeners.get(&port).is_none_or(|listening| listening.id != id) {
            return;
        }
        if let Some(listening) = listeners.remove(&port) {
            self.wakes.extend(listening.waiting.into_values());
            listening.backlog.into_iter().for_each(|waits| self.close_unaccepted(waits));
        }
    }

    /// Closes everything that the process on `machine` holds.
    pub(super) fn close_all(&mut self, machine: MachineId) {
        let listeners = &self.machines[machine].listeners;
        let listeners: Vec<_> = listeners.iter().map(|(port, it)| (*port, it.id)).collect();
        for (port, id) in listeners {
            self.stop_listening(machine, port, id);
        }
        self.drop_attempts(machine);
        for socket in self.sockets_of(machine) {
            self.close(socket);
        }
    }

    /// The ends that are on `machine`, in order.
    pub(super) fn sockets_of(&self, machine: MachineId) -> Vec<Socket> {
        let all = self.connections.iter().flat_map(|(connection, it)| {
            let sides = [Side::Caller, Side::Listener];
            let here = sides.into_iter().filter(|side| it.end(*side).machine == machine);
            here.map(|side| Socket { connection: *connection, side })
        });
        all.collect()
    }

    pub(super) fn forget_if_over(&mut self, connection: u64) {
        let Some(it) = self.connections.get(&connection) else { return };
        if it.is_over() {
            let caller = it.end(Side::Caller);
            self.machines[caller.machine].release_port(caller.port);
            self.connections.remove(&connection);
        }
    }
}
