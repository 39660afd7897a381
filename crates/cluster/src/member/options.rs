use std::time::Duration;

use crate::{Address, DataOptions, LinkOptions, Peer, Secret};

/// How a node takes part in a cluster.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberOptions {
    /// What it keeps, and how.
    pub data: DataOptions,
    /// The cluster's id.
    pub cluster: String,
    /// Where the members are, this one among them: those with whom the cluster begins, and those
    /// that get a vote when they join.
    pub members: Vec<Address>,
    /// Where this one is reached: as it stands among the members, if it is to have a vote.
    pub address: Address,
    /// What peers must know; see [`LinkOptions::secret`].
    pub secret: Option<Secret>,
    /// By what it proves that it is itself, and knows its peers.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::Tls>,
    /// Whether links are asked for by HTTP; see [`LinkOptions::upgrade`].
    pub upgrade: bool,
    /// A node that hears of no leader for one to two of these campaigns.
    pub election_timeout: Duration,
    /// How often a leader shows that it is there.
    pub heartbeat_interval: Duration,
    /// How long a start waits for members that are missing while the cluster does not exist, and
    /// for a leader to join.
    pub patience: Duration,
}

impl MemberOptions {
    /// The usual options of the node at `address` in `cluster`.
    pub fn new(
        data: DataOptions,
        cluster: impl Into<String>,
        members: impl IntoIterator<Item = Address>,
        address: impl Into<Address>,
    ) -> Self {
        Self {
            data,
            cluster: cluster.into(),
            members: members.into_iter().collect(),
            address: address.into(),
            secret: None,
            #[cfg(feature = "tls")]
            tls: None,
            upgrade: true,
            election_timeout: Duration::from_millis(500),
            heartbeat_interval: Duration::from_millis(100),
            patience: Duration::from_secs(300),
        }
    }

    pub(super) fn link_options(&self, me: Peer) -> LinkOptions {
        let mut options = LinkOptions::new(self.cluster.clone(), me, self.address.clone());
        options.secret.clone_from(&self.secret);
        options.upgrade = self.upgrade;
        options
    }
}
