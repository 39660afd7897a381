use std::path::PathBuf;
use std::time::Duration;

use catga::enrolment::Enrolment;
use catga::{Cluster, DataDir, Wiring};
use order_cluster::certificates::{self, CLUSTER};

/// The nodes of the cluster, by their numbers: `node1` and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members(Vec<Place>);

/// Where a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    url: String,
    port: u16,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) all: Members,
    pub(crate) name: String,
    pub(crate) port: u16,
    /// Where the others reach it.
    address: String,
    /// Where the files are by which it proves to the others that it is itself, and, if it lets new
    /// ones in, the key of the CA.
    pub(crate) tls: Option<PathBuf>,
}

impl Members {
    /// So many, on ports in a row of this machine from `first` on.
    pub(crate) fn here(first: u16, count: u16) -> Self {
        let place = |port| Place { url: format!("http://localhost:{port}"), port };
        Self((first..first + count).map(place).collect())
    }

    /// Those at addresses such as `http://10.0.0.1:5001`, separated by commas.
    ///
    /// # Errors
    /// When there are none, or one has no port.
    pub(crate) fn at(addresses: &str) -> Result<Self, String> {
        if addresses.trim().is_empty() {
            return Err(
                "CLUSTER_MEMBERS is empty: it must say where all members are, or not be set, \
                        if they are on ports in a row of this machine"
                    .to_owned(),
            );
        }
        let place = |url: &str| {
            let url = url.trim();
            let port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            let port = port.ok_or_else(|| {
                format!(
                    "CLUSTER_MEMBERS has `{url}`: each must be an address with a port, such as \
                     http://10.0.0.1:5001"
                )
            })?;
            Ok(Place { url: url.to_owned(), port })
        };
        Ok(Self(addresses.split(',').map(place).collect::<Result<_, String>>()?))
    }

    /// The port of the first.
    pub(crate) fn first(&self) -> u16 {
        self.0.first().map_or(0, |place| place.port)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Member> {
        let member = |(number, place): (usize, &Place)| Member {
            all: self.clone(),
            name: format!("node{}", number + 1),
            port: place.port,
            address: place.url.clone(),
            tls: None,
        };
        self.0.iter().enumerate().map(member).collect()
    }

    /// The one that is meant by a name, or by a port, or by both.
    ///
    /// # Errors
    /// When nobody is, or several are, or one by the name and another by the port.
    pub(crate) fn find(&self, name: Option<&str>, port: Option<u16>) -> Result<Member, String> {
        let all = self.all();
        let named = name.map(|name| {
            all.iter().find(|member| member.name == name).ok_or_else(|| {
                format!(
                    "NODE_ID is `{name}`, and the members are {}: set it to one of them, or run \
                     one process alone with --nodes 1",
                    listed(&all, |member| member.name.clone())
                )
            })
        });
        let named = named.transpose()?;
        let Some(port) = port else {
            return named
                .cloned()
                .ok_or_else(|| "set NODE_ID to say which of the members this is".to_owned());
        };
        // On machines of their own they may all have the same.
        let there: Vec<_> = all.iter().filter(|member| member.port == port).cloned().collect();
        match (named, &there[..]) {
            (_, []) => Err(format!(
                "PORT is {port}, and the members are on ports {}: set it to one of them, move all \
                 with --port, or run one process alone with --nodes 1",
                listed(&all, |member| member.port.to_string())
            )),
            (Some(named), there) if there.contains(named) => Ok(named.clone()),
            (None, [member]) => Ok(member.clone()),
            (Some(named), [other, ..]) => Err(format!(
                "NODE_ID is `{}`, whose port is {}, and PORT is {port}, which is that of {}: leave \
                 one of them out, or set both to the same node",
                named.name, named.port, other.name
            )),
            (None, there) => Err(format!(
                "PORT is {port}, which is that of {}: set NODE_ID to one of them",
                listed(there, |member| member.name.clone())
            )),
        }
    }

    /// One that comes to them later, and is reached at `address`.
    pub(crate) fn joined_by(&self, name: String, port: u16, address: String) -> Member {
        Member { all: self.clone(), name, port, address, tls: None }
    }
}

/// `node1, node2 and node3`.
fn listed(members: &[Member], what: impl Fn(&Member) -> String) -> String {
    let mut listed: Vec<_> = members.iter().map(what).collect();
    let last = listed.pop().unwrap_or_default();
    if listed.is_empty() { last } else { format!("{} and {last}", listed.join(", ")) }
}

impl Member {
    /// The cluster as this member joins it, with its data in `dir`. The environment may say more: at
    /// which address to listen, the secret of the cluster, and the files of TLS.
    pub(crate) fn cluster(&self, dir: DataDir) -> Result<Cluster, catga::EnvironmentError> {
        let is_set = |name| std::env::var_os(name).is_some();
        if !self.has_tls() && !is_set("CLUSTER_SECRET") {
            tracing::info!("without CLUSTER_SECRET or TLS peers are taken from this machine alone");
        }
        let members = self.all.0.iter().map(|place| place.url.clone());
        let cluster = Cluster::new(CLUSTER, members)
            .name(&self.name)
            .address(&self.address)
            .listen(([127, 0, 0, 1], self.port).into())
            .data_dir(dir)
            .election_timeout(Duration::from_millis(150))
            .heartbeat_interval(Duration::from_millis(50));
        let cluster = match &self.tls {
            Some(dir) => cluster.tls(certificates::of(dir, &self.name)),
            None => cluster,
        };
        cluster.with_env()
    }

    /// Whether it meets the others by certificates.
    pub(crate) fn has_tls(&self) -> bool {
        self.tls.is_some() || std::env::var_os("CLUSTER_TLS_CA").is_some()
    }

    /// Lets new nodes in, if the key of the CA is among its files, or the environment says where.
    pub(crate) fn enrolment(&self, wiring: &mut Wiring) -> Enrolment {
        let enrolment = Enrolment::new(wiring, CLUSTER);
        let Some(dir) = &self.tls else { return enrolment.with_env() };
        let enrolment = enrolment.ca(dir.join(certificates::CA));
        let key = dir.join(certificates::CA_KEY);
        let enrolment = if key.exists() { enrolment.ca_key(key) } else { enrolment };
        enrolment.with_env()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_no_list_of_members() {
        for (given, said) in [(" ", "is empty"), ("http://10.0.0.1", "an address with a port")] {
            let why = Members::at(given).map(drop).expect_err("nobody is found there");
            assert!(why.contains("CLUSTER_MEMBERS") && why.contains(said), "{why}");
        }
    }

    #[test]
    fn a_node_is_known_by_its_name_or_its_port() {
        let members = Members::here(5001, 3);
        let all = members.all();
        assert_eq!((all[0].port, all[2].port, all.len()), (5001, 5003, 3));
        assert_eq!(members.find(Some("node1"), None), Ok(all[0].clone()));
        assert_eq!(members.find(None, Some(5002)), Ok(all[1].clone()));
        assert_eq!(members.find(Some("node3"), Some(5003)), Ok(all[2].clone()));
        for (name, port, said) in [
            (Some("node4"), None, "`node4`, and the members are node1, node2 and node3"),
            (None, Some(5004), "5004, and the members are on ports 5001, 5002 and 5003"),
            (Some("node1"), Some(5002), "node2"),
        ] {
            let why = members.find(name, port).expect_err("nobody is meant");
            assert!(why.contains(said), "{why}");
        }
    }

    #[test]
    fn members_may_be_elsewhere() {
        let members = Members::at("http://10.0.0.1:5001, http://10.0.0.2:5002").expect("read");
        let second = members.find(None, Some(5002)).expect("it is one");
        assert_eq!((second.name.as_str(), members.first()), ("node2", 5001));
        assert_eq!(second.address, "http://10.0.0.2:5002");
        let why = Members::at("http://10.0.0.1").expect_err("it has no port");
        assert!(why.contains("`http://10.0.0.1`"), "{why}");

        let members = Members::at("http://10.0.0.1:5001,http://10.0.0.2:5001").expect("read");
        let second = members.find(Some("node2"), Some(5001)).expect("it is one");
        assert_eq!(second.address, "http://10.0.0.2:5001");
        let why = members.find(None, Some(5001)).expect_err("both are on that port");
        assert!(why.contains("node1 and node2") && why.contains("NODE_ID"), "{why}");
    }
}
