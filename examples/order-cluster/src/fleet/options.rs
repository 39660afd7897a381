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
    /// Where the certificates are by which it meets its peers, if it does so by any.
    pub tls: Option<PathBuf>,
}

impl ServerOptions {
    /// A process of `program` on the data directory `dir`.
    pub fn new(program: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let mut log = dir.clone().into_os_string();
        log.push(".log");
        let node = "node1".to_owned();
        let (program, log) = (program.into(), log.into());
        Self { program, node, dir, log, quiet: true, short_log: false, tls: None }
    }

    /// The three nodes of a cluster, each with a directory of its own in `dir`.
    pub fn cluster(program: impl Into<PathBuf>, dir: &Path) -> Vec<Self> {
        let program = program.into();
        let node = |name: &str| Self::new(&program, dir.join(name)).node(name);
        ["node1", "node2", "node3"].map(node).into()
    }

    /// The same under another name.
    #[must_use]
    pub fn node(mut self, node: &str) -> Self {
        node.clone_into(&mut self.node);
        self
    }

    /// The same with another place for what it says.
    #[must_use]
    pub fn log(mut self, log: impl Into<PathBuf>) -> Self {
        self.log = log.into();
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
}
