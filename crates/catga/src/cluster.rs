//! Several nodes that are one program: commands run on their leader, and any of them may fail.

mod environment;
mod member_address;
mod peers;
mod reception;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "tls")]
use catga_cluster::Tls;
use catga_cluster::{DataOptions, Member, MemberOptions, Secret, SecretTooShort};
use catga_core::{Fault, FaultCode, Layer, NodeName};
use catga_engine::{ENGINE_VERSION, FIRST_ENGINE_VERSION};
use catga_host::Host;
use catga_runtime::{Backend, Builder, Parts, StartFault};

use self::member_address::MemberAddress;
use self::peers::ClusterPeers;
use crate::DataDir;

pub use self::environment::EnvironmentError;

/// A node of a cluster: what was acknowledged is on the disks of a majority of its members.
///
/// Every member is given the same id and the same members, and finds out by its port, or its name,
/// which of them it is. Its peers reach it where it serves HTTP; nothing else listens.
///
/// ```no_run
/// # use std::time::Duration;
/// use catga::Cluster;
///
/// let members = ["http://localhost:5001", "http://localhost:5002", "http://localhost:5003"];
/// let cluster = Cluster::new("orders", members).listen(([127, 0, 0, 1], 5002).into());
/// ```
///
/// A cluster begins when all its first members run; after that a majority of them is enough. A node
/// that is started with an empty directory and finds a cluster without it joins that.
#[derive(Clone, Debug)]
pub struct Cluster {
    id: String,
    members: Vec<String>,
    name: Option<String>,
    address: Option<String>,
    listen: Option<SocketAddr>,
    data: Option<DataDir>,
    secret: Option<Result<Secret, SecretTooShort>>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    trusts_network: bool,
    election_timeout: Duration,
    heartbeat_interval: Duration,
    founding_wait: Duration,
    engine_version_max: u32,
}

/// So many heartbeats fit into an election timeout at least.
const HEARTBEATS_PER_ELECTION: u32 = 2;

impl Cluster {
    /// The cluster `id` of the nodes at `members`, such as `http://node1:5001`.
    pub fn new<M: Into<String>>(
        id: impl Into<String>,
        members: impl IntoIterator<Item = M>,
    ) -> Self {
        let data = DataOptions::new(NodeName::new(""), "");
        let usual = MemberOptions::new(data, "", [], "");
        Self {
            id: id.into(),
            members: members.into_iter().map(Into::into).collect(),
            name: None,
            address: None,
            listen: None,
            data: None,
            secret: None,
            #[cfg(feature = "tls")]
            tls: None,
            trusts_network: false,
            election_timeout: usual.election_timeout,
            heartbeat_interval: usual.heartbeat_interval,
            founding_wait: usual.patience,
            engine_version_max: ENGINE_VERSION,
        }
    }

    /// The name of this node (`NODE_ID`), in place of the builder's.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Which of the members this node is, where neither its port nor its name tells.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Where this node listens. If nothing is said, on the port of its address: on the loopback
    /// interface if that is one of this machine alone, and on all of them otherwise.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Where this node keeps its data; in `data/{name}` if nothing is said.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<DataDir>) -> Self {
        self.data = Some(dir.into());
        self
    }

    /// What all members know and nobody else: at least 16 bytes. It never travels; each proves to
    /// the other that it knows it.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(Secret::new(secret));
        self
    }

    /// Meets peers by mutual TLS alone: what nodes say to each other is hidden and protected, and a
    /// peer is who its certificate says. It runs on the same port, inside the connections that peers
    /// make there; clients go on with plain HTTP.
    ///
    /// A [`secret`](Self::secret) may be set as well: then a peer needs both.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Takes peers from other machines without a secret or TLS. Whoever reaches this node's port can then
    /// be a member, and read and write everything.
    #[must_use]
    pub fn trust_network(mut self) -> Self {
        self.trusts_network = true;
        self
    }

    /// A node that hears of no leader for one to two of these campaigns (500 ms). The death of the
    /// leader's process is noticed by its links, whatever this says.
    #[must_use]
    pub fn election_timeout(mut self, timeout: Duration) -> Self {
        self.election_timeout = timeout;
        self
    }

    /// How often the leader shows that it is there (100 ms).
    #[must_use]
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.heartbeat_interval = interval;
        self
    }

    /// How long a start waits for the first members of a cluster that has not begun, and for the next
    /// sign of life from one that it joins (5 minutes). Then it fails, and says who is missing.
    #[must_use]
    pub fn founding_wait(mut self, wait: Duration) -> Self {
        self.founding_wait = wait;
        self
    }

    /// The newest version of the engine's rules that this node goes along with: what its build knows
    /// ([`ENGINE_VERSION`](crate::ENGINE_VERSION)) if nothing is said. A cluster goes over to newer
    /// rules once every member goes along with them, and never back.
    ///
    /// With the version in force before an upgrade the former build can be put back at any time; leave
    /// it out with the next restart, once the new build has proved itself.
    #[must_use]
    pub fn engine_version_max(mut self, version: u32) -> Self {
        self.engine_version_max = version;
        self
    }

    /// The members that can be read, with a fault for each that cannot.
    fn members(&self, faults: &mut Vec<StartFault>) -> Vec<MemberAddress> {
        let mut members = Vec::new();
        for member in &self.members {
            match MemberAddress::read(member) {
                Ok(address) if members.contains(&address) => {
                    faults.push(bad("members", member, "it is there twice"));
                }
                Ok(address) => members.push(address),
                Err(why) => faults.push(bad("members", member, why)),
            }
        }
        members
    }

    /// Which of the members this node is.
    fn own(
        &self,
        members: &[MemberAddress],
        faults: &mut Vec<StartFault>,
    ) -> Option<MemberAddress> {
        if let Some(address) = &self.address {
            return match MemberAddress::read(address) {
                Ok(address) => Some(address),
                Err(why) => {
                    faults.push(bad("address", address, why));
                    None
                }
            };
        }
        let is_own_name = |member: &&MemberAddress| self.name.as_deref() == Some(member.host());
        let is_own_port =
            |member: &&MemberAddress| self.listen.is_some_and(|at| at.port() == member.port());
        let mut by_port = members.iter().filter(is_own_port);
        let own = match (members.iter().find(is_own_name), by_port.next(), by_port.next()) {
            (Some(own), _, _) | (None, Some(own), None) => Some(own.clone()),
            _ if members.len() == 1 => members.first().cloned(),
            _ => None,
        };
        if own.is_none() {
            let listen = self.listen.map_or("nothing".to_owned(), |at| at.to_string());
            let why = format!(
                "none of them is this node's for certain: it is told to listen on {listen}, and is \
                 called {}; give it its PORT, or the address that it has among the members",
                self.name.as_deref().unwrap_or("nothing else than the builder says")
            );
            faults.push(bad("members", &self.members.join(", "), &why));
        }
        own
    }

    fn has_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Where this node listens, given where it is reached.
    fn listening(&self, own: &MemberAddress) -> SocketAddr {
        self.listen.unwrap_or_else(|| {
            let all = if own.is_loopback() { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
            SocketAddr::new(IpAddr::V4(all), own.port())
        })
    }
}

fn bad(option: &'static str, value: &str, why: &str) -> StartFault {
    let why = format!("{why}{}", in_the_environment(option));
    StartFault::BadOption { option, value: value.to_owned(), why }
}

fn missing(option: &'static str, why: &str) -> StartFault {
    StartFault::Missing { option, why: why.to_owned() }
}

/// Where [`Cluster::with_env`] and [`Cluster::from_env`] find an option.
fn in_the_environment(option: &str) -> &'static str {
    match option {
        "members" => " (CLUSTER_MEMBERS in the environment)",
        "address" => " (CLUSTER_ADDRESS in the environment)",
        "secret" => " (CLUSTER_SECRET in the environment)",
        "engine_version_max" => " (ENGINE_VERSION_MAX in the environment)",
        _ => "",
    }
}

impl Backend for Cluster {
    fn check(&self, faults: &mut Vec<StartFault>) {
        if self.id.trim().is_empty() {
            faults.push(bad("cluster id", "\"\"", "a cluster needs one, the same on all members"));
        }
        if self.members.is_empty() {
            faults.push(missing(
                "members",
                "name all members (CLUSTER_MEMBERS), this node among them",
            ));
            return;
        }
        let members = self.members(faults);
        if members.len() == self.members.len()
            && let Some(own) = self.own(&members, faults)
        {
            if !members.contains(&own) {
                tracing::warn!(
                    address = %own,
                    "this node is not among the members: it joins without a vote"
                );
            }
            let at = self.listening(&own);
            let is_open = self.secret.is_none() && !self.has_tls() && !self.trusts_network;
            if !at.ip().is_loopback() && is_open {
                let why = "other machines reach it, and whoever does could be a member: set a \
                           secret (CLUSTER_SECRET), the same on all members, or TLS \
                           (CLUSTER_TLS_CA, CLUSTER_TLS_CERT and CLUSTER_TLS_KEY)";
                faults.push(missing("secret", &format!("on {at} {why}")));
            }
        }
        if members.len().is_multiple_of(2) && !members.is_empty() {
            tracing::warn!(
                members = members.len(),
                "an even number of members survives no more failures than one less does"
            );
        }
        if let Some(Err(error)) = &self.secret {
            faults.push(bad("secret", "so short", &error.to_string()));
        }
        let (election, heartbeat) = (self.election_timeout, self.heartbeat_interval);
        if heartbeat < Duration::from_millis(1) || heartbeat * HEARTBEATS_PER_ELECTION > election {
            let why = format!("it must be from 1 ms to half the election timeout, {election:?}");
            faults.push(bad("heartbeat_interval", &format!("{heartbeat:?}"), &why));
        }
        let engine = self.engine_version_max;
        if !(FIRST_ENGINE_VERSION..=ENGINE_VERSION).contains(&engine) {
            let why = format!(
                "it must be from {FIRST_ENGINE_VERSION} to {ENGINE_VERSION}, which this build knows"
            );
            faults.push(bad("engine_version_max", &engine.to_string(), &why));
        }
        if let Some(data) = &self.data {
            data.check(faults);
        }
    }

    async fn open(self, host: Arc<dyn Host>, node: NodeName) -> Result<Parts, Fault> {
        let mut faults = Vec::new();
        let members = self.members(&mut faults);
        let Some(own) = self.own(&members, &mut faults) else {
            return Err(Fault::internal("the members were not checked"));
        };
        let listening = self.listening(&own);
        let data =
            self.data.unwrap_or_else(|| DataDir::new(PathBuf::from("data").join(node.as_str())));
        let mut data = data.options(node);
        // The node asks the next leader about what is in doubt.
        data.replica = data.replica.with_doubtful_max(0);
        data.replica.engine_version_max = self.engine_version_max;
        let addresses = members.iter().map(MemberAddress::address);
        let mut options = MemberOptions::new(data, self.id, addresses, own.address());
        let secret = self.secret.transpose();
        options.secret = secret.map_err(|error| Fault::internal(error.to_string()))?;
        #[cfg(feature = "tls")]
        options.tls.clone_from(&self.tls);
        options.upgrade = reception::UPGRADES;
        options.election_timeout = self.election_timeout;
        options.heartbeat_interval = self.heartbeat_interval;
        options.patience = self.founding_wait;
        let member = Arc::new(Member::prepare(host.clone(), options).await?);
        // From here on its peers reach it: without them it would wait for ever.
        let listener = host.listen(listening).await;
        let listener = listener.map_err(|error| not_listening(listening, &error))?;
        let listener = reception::open(&host, listener, member.links());
        let replica = member.open().await?;
        let (files, views) = (member.dir().files(), member.dir().views());
        let peers = Arc::new(ClusterPeers::new(host, member, replica.clone()));
        let parts = Parts::new(replica).with_views(files, views).with_peers(peers);
        Ok(parts.with_listener(listener))
    }
}

fn not_listening(address: SocketAddr, error: &std::io::Error) -> Fault {
    let what = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program listens there; stop it, or choose another port with the environment \
             variable PORT"
                .to_owned()
        }
        _ => error.to_string(),
    };
    Fault::new(FaultCode::LogUnavailable, format!("cannot listen on {address}: {what}"))
}

/// Makes a node a member of a cluster.
pub trait InCluster {
    /// The builder with its backend in place of the former one.
    type Builder;

    /// Runs the node in a cluster: commands run on its leader, and what was acknowledged survives
    /// the loss of any minority of the members.
    #[must_use]
    fn cluster(self, cluster: Cluster) -> Self::Builder;
}

impl<B: Backend, E: Layer, H: Layer> InCluster for Builder<B, E, H> {
    type Builder = Builder<Cluster, E, H>;

    fn cluster(self, cluster: Cluster) -> Self::Builder {
        let named = match &cluster.name {
            Some(name) => self.name(name.as_str()),
            None => self,
        };
        named.backend(cluster)
    }
}
