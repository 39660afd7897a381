use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// How a process of the service is started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The program.
    pub program: PathBuf,
    /// The node's name: `node1`.
    pub node: String,
    /// Where it keeps its data.
    pub dir: PathBuf,
    /// Where what it says goes: beside `dir`, with `.log` after its name.
    pub log: PathBuf,
    /// It says only what is wrong, unless RUST_LOG wants more.
    pub quiet: bool,
    /// It keeps little of its log, so that a node that was down needs more than that.
    pub short_log: bool,
    /// It joins the cluster that is there.
    pub joins: bool,
    /// Where the certificates are by which it meets its peers, if it does so by any.
    pub tls: Option<PathBuf>,
    /// The address where it listens: this machine's own.
    pub host: IpAddr,
    /// What starts the program, before its own arguments: nothing, or such as puts it into a network
    /// of its own. It must become the program and not wait for it.
    pub starter: Vec<OsString>,
    /// What its environment has besides.
    pub variables: Vec<(&'static str, String)>,
}

impl ServerOptions {
    /// A process of `program` on the data directory `dir`.
    pub fn new(program: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let mut log = dir.clone().into_os_string();
        log.push(".log");
        let node = "node1".to_owned();
        Self {
            program: program.into(),
            node,
            dir,
            log: log.into(),
            quiet: true,
            short_log: false,
            joins: false,
            tls: None,
            host: Ipv4Addr::LOCALHOST.into(),
            starter: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// The three nodes of a cluster, each with a directory of its own in `dir`.
    pub fn cluster(program: impl Into<PathBuf>, dir: &Path) -> Vec<Self> {
        Self::cluster_of(3, program, dir)
    }

    /// The nodes of a cluster of so many, each with a directory of its own in `dir`.
    pub fn cluster_of(count: usize, program: impl Into<PathBuf>, dir: &Path) -> Vec<Self> {
        let program = program.into();
        let names = (1..=count).map(|number| format!("node{number}"));
        names.map(|name| Self::new(&program, dir.join(&name)).node(&name)).collect()
    }

    /// The same under another name.
    #[must_use]
    pub fn node(mut self, node: &str) -> Self {
        node.clone_into(&mut self.node);
        self
    }

    /// The same on another data directory.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    /// The same with another place for what it says.
    #[must_use]
    pub fn log(mut self, log: impl Into<PathBuf>) -> Self {
        self.log = log.into();
        self
    }

    /// The same as a node that joins the cluster which is there.
    #[must_use]
    pub fn joins(mut self) -> Self {
        self.joins = true;
        self
    }

    /// The same with a short log.
    #[must_use]
    pub fn short_log(mut self) -> Self {
        self.short_log = true;
        self
    }

    /// The same, which meets its peers by the certificates in `dir`.
    #[must_use]
    pub fn tls(mut self, dir: impl Into<PathBuf>) -> Self {
        self.tls = Some(dir.into());
        self
    }

    /// The same, which says everything that it does.
    #[must_use]
    pub fn talkative(mut self) -> Self {
        self.quiet = false;
        self
    }

    /// The same, which listens at another address.
    #[must_use]
    pub fn host(mut self, host: impl Into<IpAddr>) -> Self {
        self.host = host.into();
        self
    }

    /// The same, started by another program: its name and its arguments.
    #[must_use]
    pub fn starter(mut self, starter: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.starter = starter.into_iter().map(Into::into).collect();
        self
    }

    /// The same with one more variable in its environment.
    #[must_use]
    pub fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }
}
