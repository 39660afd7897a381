//! Three nodes of the order service, each a process of its own with a data directory of its own,
//! and the parent that starts them, asks them and ends them.

mod asked;
mod certificates;
mod in_process;
mod node;
mod process;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{array, thread};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

pub(crate) use self::asked::{Ask, Audit, Load, Work};
pub(crate) use self::node::NodeArgs;
pub(crate) use self::node::run as run_node;
pub(crate) use self::process::NodeProcess;
use crate::harness::{Figures, folder};

/// How many nodes.
pub(crate) const NODES: usize = 3;

/// How soon a node without a leader campaigns, and how often a leader shows itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Timing {
    /// What a node has if nothing is said.
    #[default]
    Usual,
    /// 150 and 50 ms.
    Short,
}

/// The nodes; they go with this.
#[derive(Debug)]
pub(crate) struct Trio {
    timing: Timing,
    /// Where their certificates are, if they meet by TLS.
    tls: Option<PathBuf>,
    ports: [u16; NODES],
    nodes: Vec<NodeProcess>,
    dir: TempDir,
}

/// As long as a leader may take to be known.
const LEADER_WAIT: Duration = Duration::from_secs(20);

impl Trio {
    /// Starts all nodes, on the disk that the results are written to, and waits for a leader.
    pub(crate) fn start(timing: Timing) -> Result<Self> {
        Self::start_in(directory()?, timing, None)
    }

    /// The same, with nodes that meet by TLS.
    pub(crate) fn start_with_tls(timing: Timing) -> Result<Self> {
        let dir = directory()?;
        let tls = dir.path().join("tls");
        certificates::make(&tls)?;
        Self::start_in(dir, timing, Some(tls))
    }

    fn start_in(dir: TempDir, timing: Timing, tls: Option<PathBuf>) -> Result<Self> {
        let mut trio = Self { timing, tls, ports: free_ports()?, nodes: Vec::new(), dir };
        for number in 0..NODES {
            trio.nodes.push(trio.spawn(number)?);
        }
        trio.leader()?;
        Ok(trio)
    }

    /// The number of the node that leads, as it and all others say.
    pub(crate) fn leader(&mut self) -> Result<usize> {
        let start = Instant::now();
        loop {
            let leaders: Vec<_> =
                self.nodes.iter_mut().map(NodeProcess::leader).collect::<Result<_>>()?;
            if let Some(leader) = leaders[0].clone()
                && leaders.iter().all(|other| other.as_ref() == Some(&leader))
            {
                let number = (0..NODES).find(|number| name(*number) == leader);
                return number.with_context(|| format!("nobody here is called {leader}"));
            }
            if start.elapsed() > LEADER_WAIT {
                bail!("no leader is known to all: {leaders:?}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// One of them.
    pub(crate) fn node(&mut self, number: usize) -> &mut NodeProcess {
        &mut self.nodes[number]
    }

    /// Lets clients in the process of a node do something for a while.
    pub(crate) fn load(&mut self, number: usize, load: Load) -> Result<Figures> {
        self.nodes[number].ask(&Ask::Load(load))
    }

    /// Where a node serves.
    pub(crate) fn address(&self, number: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[number]))
    }

    /// Starts a node again, whose process has ended or is ended now.
    pub(crate) fn restart(&mut self, number: usize) -> Result<()> {
        self.nodes[number].end();
        self.nodes[number] = self.spawn(number)?;
        Ok(())
    }

    fn spawn(&self, number: usize) -> Result<NodeProcess> {
        NodeProcess::spawn(&NodeArgs {
            number,
            ports: self.ports.to_vec(),
            dir: self.dir(number),
            short: matches!(self.timing, Timing::Short),
            tls: self.tls.clone(),
        })
    }

    fn dir(&self, number: usize) -> PathBuf {
        self.dir.path().join(name(number))
    }
}

fn directory() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("nodes-").tempdir_in(folder()?)?)
}

/// What a node is called.
pub(crate) fn name(number: usize) -> String {
    format!("node{}", number + 1)
}

/// Ports that are free now; nobody else on this machine is likely to take them in the next moments.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    // All are open before one is closed, so that none is given twice.
    let listeners = array::from_fn::<_, N, _>(|_| TcpListener::bind("127.0.0.1:0"));
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(listeners) {
        *port = listener?.local_addr()?.port();
    }
    Ok(ports)
}
