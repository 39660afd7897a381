use std::path::PathBuf;
use std::time::Duration;

/// What a run is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that a node is.
    pub program: PathBuf,
    /// Where everything of this run goes. It must not be there yet.
    pub dir: PathBuf,
    /// How many nodes.
    pub nodes: usize,
    /// How many clients.
    pub clients: usize,
    /// For how long there are faults.
    pub faults: Duration,
    /// What decides on everything that is drawn.
    pub seed: u64,
    /// Has proxies between the nodes, also where networks are allowed.
    pub proxies: bool,
    /// Writes an acknowledgement into the history that nobody got: the run must fail by it, or
    /// nobody should trust one that passes.
    pub lie: bool,
}
