use std::io;
use std::net::IpAddr;

use super::machine::{MachineId, address_of};
use super::net::Net;

impl Net {
    /// The machine and the port that `address` means on `from`: by name, by number, or itself.
    pub(super) fn resolve(&self, from: MachineId, address: &str) -> io::Result<(MachineId, u16)> {
        let invalid = || {
            let what = format!("`{address}` is not an address such as node1:5001");
            io::Error::new(io::ErrorKind::InvalidInput, what)
        };
        let (name, port) = address.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        let machine = match name.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) if ip.is_loopback() => Some(from),
            Ok(ip) => (0..self.machines.len()).find(|machine| address_of(*machine, 0).ip() == ip),
            Err(_) if name == "localhost" => Some(from),
            Err(_) => self.find(name),
        };
        let machine = machine.ok_or_else(|| {
            let what = format!("no machine of this network is called `{name}`");
            io::Error::new(io::ErrorKind::NotFound, what)
        })?;
        Ok((machine, port))
    }
}
