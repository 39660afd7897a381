use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use crate::command::call;

/// A network of its own for each node, and a hub that joins them and the clients.
///
/// A packet from one node to another can be made to vanish, in one direction: its sender believes
/// that the other has a hardware address that nobody has. Unlike a route that leads nowhere, that
/// tells no sender anything, as with a cable that was cut. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Network {
    /// What everything of this run is called in part.
    tag: String,
    /// The second and third part of its addresses.
    subnet: (u8, u8),
    nodes: usize,
    cuts: Mutex<BTreeSet<(usize, usize)>>,
}

/// Nobody has this one.
const NOBODY: &str = "02:ca:76:a0:00:00";

impl Network {
    /// Networks for so many nodes.
    ///
    /// # Errors
    /// When this process may not make them: why.
    pub(crate) fn create(nodes: usize) -> Result<Self, String> {
        sweep();
        let pid = std::process::id();
        let [_, _, third, fourth] = pid.to_be_bytes();
        // Not the networks that virtual machines and containers are given, and another for each run.
        let subnet = (64 + third % 64, fourth);
        let cuts = Mutex::default();
        let network = Self { tag: format!("catga{pid}"), subnet, nodes, cuts };
        network.set_up()?;
        Ok(network)
    }

    fn set_up(&self) -> Result<(), String> {
        let (tag, hub) = (&self.tag, self.hub());
        ip(&format!("netns add {hub}"))?;
        ip(&format!("-n {hub} link add hub type bridge"))?;
        ip(&format!("-n {hub} link set hub up"))?;
        ip(&format!("link add {tag} type veth peer name clients netns {hub}"))?;
        ip(&format!("-n {hub} link set clients master hub up"))?;
        ip(&format!("addr add {}/24 dev {tag}", self.address(254)))?;
        ip(&format!("link set {tag} up"))?;
        for node in 0..self.nodes {
            let (namespace, mac) = (self.namespace(node), mac(node));
            ip(&format!("netns add {namespace}"))?;
            ip(&format!(
                "-n {hub} link add n{node} type veth peer name eth0 address {mac} netns {namespace}"
            ))?;
            ip(&format!("-n {hub} link set n{node} master hub up"))?;
            ip(&format!("-n {namespace} addr add {}/24 dev eth0", self.host(node)))?;
            ip(&format!("-n {namespace} link set lo up"))?;
            ip(&format!("-n {namespace} link set eth0 up"))?;
        }
        // Nobody asks for the others' hardware addresses, so that only we decide on them.
        for (from, to) in self.links() {
            self.set(from, to, &mac(to))?;
        }
        Ok(())
    }

    /// The address of a node.
    pub(crate) fn host(&self, node: usize) -> Ipv4Addr {
        self.address(u8::try_from(node + 1).unwrap_or(u8::MAX))
    }

    /// What starts a program in a node's network.
    pub(crate) fn starter(&self, node: usize) -> [String; 2] {
        ["nsenter".to_owned(), format!("--net=/run/netns/{}", self.namespace(node))]
    }

    /// Loses all packets of these links, each from one node to another.
    pub(crate) fn cut(&self, links: &[(usize, usize)]) -> Result<(), String> {
        for &(from, to) in links {
            self.cuts.lock().unwrap_or_else(PoisonError::into_inner).insert((from, to));
            self.set(from, to, NOBODY)?;
        }
        Ok(())
    }

    /// Loses no packets any more.
    pub(crate) fn heal(&self) -> Result<(), String> {
        let cuts = std::mem::take(&mut *self.cuts.lock().unwrap_or_else(PoisonError::into_inner));
        cuts.into_iter().try_for_each(|(from, to)| self.set(from, to, &mac(to)))
    }

    fn set(&self, from: usize, to: usize, mac: &str) -> Result<(), String> {
        let (namespace, host) = (self.namespace(from), self.host(to));
        ip(&format!("-n {namespace} neigh replace {host} lladdr {mac} dev eth0 nud permanent"))
    }

    fn links(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let nodes = self.nodes;
        let all = (0..nodes).flat_map(move |from| (0..nodes).map(move |to| (from, to)));
        all.filter(|(from, to)| from != to)
    }

    fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, self.subnet.0, self.subnet.1, last)
    }

    fn hub(&self) -> String {
        format!("{}-hub", self.tag)
    }

    fn namespace(&self, node: usize) -> String {
        format!("{}-n{}", self.tag, node + 1)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // With the hub go all of its devices, and their other ends.
        for name in (0..self.nodes).map(|node| self.namespace(node)).chain([self.hub()]) {
            let _ = ip(&format!("netns delete {name}"));
        }
    }
}

fn ip(line: &str) -> Result<(), String> {
    call("ip", line.split(' '))
}

fn mac(node: usize) -> String {
    format!("02:ca:76:a0:00:{:02x}", node + 1)
}

/// Removes what runs left behind that were killed.
fn sweep() {
    let names = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    for name in names.filter_map(|entry| entry.file_name().into_string().ok()) {
        let pid = name.strip_prefix("catga").and_then(|rest| rest.split_once('-'));
        let pid = pid.and_then(|(pid, _)| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !fs::exists(format!("/proc/{pid}")).unwrap_or(true)) {
            let _ = ip(&format!("netns delete {name}"));
        }
    }
}

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "a test that cannot do its work here says so")]
mod tests {
    use std::io::Read;
    use std::net::{SocketAddr, TcpStream};
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use super::*;

    /// Whether a program in the network of `from` reaches the port of one in that of `to`.
    fn reaches(network: &Network, from: usize, to: usize) -> bool {
        let [program, net] = network.starter(from);
        let script = format!("exec 3<>/dev/tcp/{}/7000 && head -c 2 <&3", network.host(to));
        let timed = ["timeout", "1", "bash", "-c", &script];
        let output = Command::new(program).arg(net).args(timed).stderr(Stdio::null()).output();
        output.is_ok_and(|output| output.stdout == b"hi")
    }

    struct Greeter(Child);

    impl Drop for Greeter {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A process in the network of `node` that says hi to everybody: this very test.
    fn greeter(network: &Network, node: usize) -> Greeter {
        let [program, net] = network.starter(node);
        let me = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.arg(net).arg(me).args(["--exact", "network::tests::greets_if_it_is_told_to"]);
        command.env("CATGA_CHAOS_GREETS", "0.0.0.0:7000").stdout(Stdio::null());
        let greeter = Greeter(command.spawn().expect("it starts"));
        let address: SocketAddr = (network.host(node), 7000).into();
        let since = std::time::Instant::now();
        loop {
            let stream = TcpStream::connect_timeout(&address, Duration::from_millis(100));
            let mut said = [0; 2];
            if stream.is_ok_and(|mut stream| stream.read_exact(&mut said).is_ok()) {
                return greeter;
            }
            assert!(since.elapsed() < Duration::from_secs(10), "clients do not reach {address}");
        }
    }

    #[test]
    fn greets_if_it_is_told_to() {
        let Ok(address) = std::env::var("CATGA_CHAOS_GREETS") else { return };
        let listener = std::net::TcpListener::bind(address).expect("it listens");
        for stream in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut &stream, b"hi");
        }
    }

    #[test]
    fn a_cut_is_one_way_and_silent_and_heals() {
        let network = match Network::create(2) {
            Ok(network) => network,
            Err(why) => return eprintln!("no networks here: {why}"),
        };
        let _greeters = [greeter(&network, 0), greeter(&network, 1)];
        assert!(reaches(&network, 0, 1) && reaches(&network, 1, 0));
        network.cut(&[(0, 1)]).expect("cut");
        // Neither can open a connection: that takes both directions.
        assert!(!reaches(&network, 0, 1) && !reaches(&network, 1, 0));
        network.heal().expect("healed");
        assert!(reaches(&network, 0, 1) && reaches(&network, 1, 0));
        let namespace = format!("/run/netns/{}", network.namespace(0));
        assert!(fs::exists(&namespace).expect("looked"));
        drop(network);
        assert!(!fs::exists(&namespace).expect("looked"));
    }
}
