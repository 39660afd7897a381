//! Processes and machines that come and go.

use super::connection::EndState;
use super::machine::{MACHINES_MAX, Machine, MachineId};
use super::net::Net;

impl Net {
    /// Takes a machine in, or the place of a former one of its name. Gives out its owner's number.
    pub(super) fn attach(&mut self, name: &str) -> (MachineId, u64) {
        assert!(
            !name.is_empty() && !name.contains([':', '/', '[', ']']),
            "a machine is called such as `node1`, not {name:?}"
        );
        let machine = match self.find(name) {
            Some(machine) => {
                self.power_off(machine);
                machine
            }
            None => {
                assert!(self.machines.len() < MACHINES_MAX, "a network has 250 machines at most");
                self.machines.push(Machine::new(name));
                self.machines.len() - 1
            }
        };
        let owner = self.number();
        self.machines[machine].owner = owner;
        self.power_on(machine);
        self.note(format_args!("attach {name}"));
        (machine, owner)
    }

    /// The process ends; its kernel closes what it held.
    pub(super) fn end_process(&mut self, machine: MachineId) {
        self.machines[machine].life += 1;
        self.close_all(machine);
    }

    /// The machine stops, and forgets everything without telling anybody.
    pub(super) fn power_off(&mut self, machine: MachineId) {
        let it = &mut self.machines[machine];
        it.life += 1;
        it.is_up = false;
        for listening in std::mem::take(&mut it.listeners).into_values() {
            self.wakes.extend(listening.waiting.into_values());
        }
        self.drop_attempts(machine);
        for socket in self.sockets_of(machine) {
            let Some(it) = self.connections.get_mut(&socket.connection) else { continue };
            let end = it.end_mut(socket.side);
            end.state = EndState::Gone;
            end.received.clear();
            end.wake_all(&mut self.wakes);
            // What is on its way arrives; what did not get through is sent again by nobody.
            if it.pipe(socket.side).is_held {
                self.lose(socket.connection, socket.side);
            }
            self.forget_if_over(socket.connection);
        }
    }

    pub(super) fn power_on(&mut self, machine: MachineId) {
        if !std::mem::replace(&mut self.machines[machine].is_up, true) {
            self.note(format_args!("power on {}", self.machines[machine].name));
            self.release(|_, to| to == machine);
        }
    }
}
