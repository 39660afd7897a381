use std::fs;
use std::net::{IpAddr, SocketAddr};

/// Which node a connection comes from, by its number: whose process owns the socket at `peer`. Nodes
/// are children of this process, and their environment says who they are.
pub(super) fn of(peer: SocketAddr) -> Option<usize> {
    let inode = inode(peer)?;
    let me = std::process::id();
    let pids = fs::read_dir("/proc").ok()?.flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let owner = pids.filter(|pid| parent(*pid) == Some(me)).find(|pid| owns(*pid, inode))?;
    let environment = fs::read(format!("/proc/{owner}/environ")).ok()?;
    let names = environment.split(|byte| *byte == 0);
    let name = names.filter_map(|variable| variable.strip_prefix(b"NODE_ID=node")).next()?;
    std::str::from_utf8(name).ok()?.parse::<usize>().ok()?.checked_sub(1)
}

/// The number of the socket whose own end is `local`.
fn inode(local: SocketAddr) -> Option<u64> {
    let IpAddr::V4(ip) = local.ip() else { return None };
    // As the kernel writes it: the address as a number of this machine's order.
    let wanted = format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), local.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace();
        let is_it = columns.nth(1) == Some(wanted.as_str());
        let inode = columns.nth(7)?.parse().ok()?;
        (is_it && inode != 0).then_some(inode)
    })
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

fn owns(pid: u32, inode: u64) -> bool {
    let wanted = format!("socket:[{inode}]");
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets.any(|target| target.to_str() == Some(wanted.as_str()))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_dialer_is_known_by_its_socket() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("it listens");
        let address = listener.local_addr().expect("bound");
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}; read -r line", address.port());
        let mut command = Command::new("bash");
        command.args(["-c", &script]).env("NODE_ID", "node3").stdin(Stdio::piped());
        let mut child = command.spawn().expect("a child");
        let (_stream, peer) = listener.accept().expect("it dials");
        assert_eq!(of(peer), Some(2));
        child.kill().and_then(|()| child.wait()).expect("gone");
        let own = TcpStream::connect(address).expect("connected");
        assert_eq!(of(own.local_addr().expect("bound")), None, "this process is no node");
    }
}
