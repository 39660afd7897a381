use std::fmt;
use std::time::Duration;

use catga_core::{Fault, FaultCode, NodeName};
use catga_journal::segment::SegmentError;

/// Why a node takes no part in the founding of its cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoundingError {
    /// Another member was given other members.
    #[error(
        "node {name} was given the members {}, and this node {}: give every node the same",
        Listed(theirs),
        Listed(ours)
    )]
    Disagree {
        /// The other.
        name: NodeName,
        /// What it was given.
        theirs: Vec<String>,
        /// What this node was given.
        ours: Vec<String>,
    },
    /// Two members have one name.
    #[error("two members are called {name}: give each a NODE_ID of its own")]
    SameName {
        /// The name.
        name: NodeName,
    },
    /// A member will not have this node, or this node will not have it.
    #[error("there is no link to the member at {address}: {why}")]
    Refused {
        /// Where the member is.
        address: String,
        /// Why there is no link.
        why: String,
    },
    /// The cluster knows a node of this name with other data.
    #[error(
        "the cluster knows node {name} with other data than this directory holds: what it had \
         acknowledged is gone, so it may not vote again as the node that it was. Start it with its \
         data; or remove {name} from the cluster at another node, and start it again with an empty \
         directory"
    )]
    LostItsData {
        /// This node's name.
        name: NodeName,
    },
    /// The node was taken out of the cluster.
    #[error(
        "node {name} was removed from the cluster, and what this directory holds is of no use to it \
         any more: to bring the node back, start it with an empty directory"
    )]
    Removed {
        /// This node's name.
        name: NodeName,
    },
    /// The data is of another life of the journal than the cluster's.
    #[error(
        "what the directory of node {name} holds was never a part of this cluster, or of a life of \
         it before a restore: start the node with an empty directory, and keep this one if anything \
         in it is wanted"
    )]
    AnotherLife {
        /// This node's name.
        name: NodeName,
    },
    /// The journal needs newer rules than this node goes along with.
    #[error(
        "the cluster decides by version {needs} of the engine's rules, and node {name} goes along with \
         {known} at most: start it with a newer build, or with a higher `engine_version_max`"
    )]
    TooOld {
        /// This node's name.
        name: NodeName,
        /// The newest version that it goes along with.
        known: u32,
        /// The version that is in force.
        needs: u32,
    },
    /// Another member is reached at the address that this node gives as its own.
    #[error(
        "{address} is the address of member {by}, and node {name} says that it is its own: give it one \
         of its own, or remove {by} first if {name} takes its place"
    )]
    AddressTaken {
        /// This node's name.
        name: NodeName,
        /// What it gave as its address.
        address: String,
        /// Whose it is.
        by: String,
    },
    /// The data directory belongs to another cluster.
    #[error(
        "the data directory belongs to cluster `{found}`, and this is a node of `{expected}`: give \
         it a directory of its own"
    )]
    OfAnother {
        /// What the directory says.
        found: String,
        /// What the node was told.
        expected: String,
    },
    /// This node has founded its cluster with others already.
    #[error(
        "this node holds another charter of cluster `{cluster}`: its members are {}",
        Listed(members)
    )]
    FoundedBefore {
        /// The cluster's id.
        cluster: String,
        /// The names of those with whom it did.
        members: Vec<String>,
    },
    /// Not all members were there in time.
    #[error("after {waited:?} the cluster has not begun: {}", missing.join("; "))]
    Missing {
        /// How long this node waited.
        waited: Duration,
        /// Who is missing, and why.
        missing: Vec<String>,
    },
    /// The charter cannot be read or written.
    #[error(transparent)]
    File(#[from] SegmentError),
}

/// Addresses or names as people read them.
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl From<FoundingError> for Fault {
    fn from(error: FoundingError) -> Self {
        let code = match &error {
            FoundingError::File(file) if file.is_full() => FaultCode::StorageFull,
            FoundingError::File(_) => FaultCode::Unreadable,
            _ => FaultCode::LogUnavailable,
        };
        Self::new(code, error.to_string())
    }
}
