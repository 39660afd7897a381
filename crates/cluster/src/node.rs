use catga_core::NodeName;

/// The number of a node in its cluster, minted with its data directory and never used again for
/// another machine or after the data was lost.
pub type NodeId = u64;

/// Which data directory a node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StoreId(pub u128);

/// What every member knows of a node. It is part of the membership, and so of log and snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its written name.
    pub name: NodeName,
    /// Where its peers reach it.
    pub address: String,
    /// The data directory that it joined with: a node that lost it is another node.
    pub store: StoreId,
    /// The newest engine version that it goes along with; 0 if it has not said so.
    pub version: u32,
}

impl Node {
    /// The node called `name` at `address`, with the data of `store`.
    pub fn new(name: NodeName, address: impl Into<String>, store: StoreId) -> Self {
        Self { name, address: address.into(), store, version: 0 }
    }

    /// The same node, announcing engine version `version`.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new(NodeName::new(""), "", StoreId::default())
    }
}
