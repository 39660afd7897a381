use std::time::Duration;

use catga::{Cluster, DataDir, Tls};
use order_cluster::certificates::CLUSTER;

/// The three nodes: `node1` to `node3`, on ports in a row of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    /// The port of `node1`.
    pub(crate) first: u16,
}

/// One of the three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) all: Members,
    pub(crate) name: String,
    pub(crate) port: u16,
    /// By what it proves to the others that it is itself.
    pub(crate) tls: Option<Tls>,
}

impl Members {
    /// All of them.
    pub(crate) fn all(self) -> [Member; 3] {
        [1, 2, 3].map(|number| Member {
            all: self,
            name: format!("node{number}"),
            port: self.first + number - 1,
            tls: None,
        })
    }

    /// The one that is meant by a name, or by a port, or by both.
    ///
    /// # Errors
    /// When nobody is, or one by the name and another by the port.
    pub(crate) fn find(self, name: Option<&str>, port: Option<u16>) -> Result<Member, String> {
        let find = |is_it: &dyn Fn(&Member) -> bool| self.all().into_iter().find(is_it);
        let by_name = name.map(|name| {
            find(&|member| member.name == name).ok_or_else(|| {
                format!(
                    "NODE_ID is `{name}`, and the members are node1, node2 and node3: set it to \
                     one of them, or run one process alone with --nodes 1"
                )
            })
        });
        let by_port = port.map(|port| {
            let (first, last) = (self.first, self.first + 2);
            find(&|member| member.port == port).ok_or_else(|| {
                format!(
                    "PORT is {port}, and the members are on ports {first} to {last}: set it to one \
                     of them, move all three with --port, or run one process alone with --nodes 1"
                )
            })
        });
        match (by_name.transpose()?, by_port.transpose()?) {
            (Some(named), Some(there)) if named != there => Err(format!(
                "NODE_ID is `{}`, whose port is {}, and PORT is {}, which is that of {}: leave one \
                 of them out, or set both to the same node",
                named.name, named.port, there.port, there.name
            )),
            (Some(member), _) | (None, Some(member)) => Ok(member),
            (None, None) => Err("neither NODE_ID nor PORT says which node this is".to_owned()),
        }
    }
}

impl Member {
    /// The cluster as this member joins it, with its data in `dir`. The environment may say more: at
    /// which address to listen, the secret of the cluster, and the files of TLS.
    pub(crate) fn cluster(&self, dir: DataDir) -> Result<Cluster, catga::EnvironmentError> {
        let is_set = |name| std::env::var_os(name).is_some();
        if self.tls.is_none() && !is_set("CLUSTER_SECRET") && !is_set("CLUSTER_TLS_CA") {
            tracing::info!("without CLUSTER_SECRET or TLS peers are taken from this machine alone");
        }
        let members = self.all.all().map(|member| format!("http://localhost:{}", member.port));
        let cluster = Cluster::new(CLUSTER, members)
            .name(&self.name)
            .listen(([127, 0, 0, 1], self.port).into())
            .data_dir(dir)
            .election_timeout(Duration::from_millis(150))
            .heartbeat_interval(Duration::from_millis(50));
        let cluster = match self.tls.clone() {
            Some(tls) => cluster.tls(tls),
            None => cluster,
        };
        cluster.with_env()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_known_by_its_name_or_its_port() {
        let members = Members { first: 5001 };
        let [one, two, three] = members.all();
        assert_eq!((one.port, three.port), (5001, 5003));
        assert_eq!(members.find(Some("node1"), None), Ok(one));
        assert_eq!(members.find(None, Some(5002)), Ok(two));
        assert_eq!(members.find(Some("node3"), Some(5003)), Ok(three));
        for (name, port, said) in [
            (Some("node4"), None, "`node4`"),
            (None, Some(5004), "5004"),
            (Some("node1"), Some(5002), "node2"),
        ] {
            let why = members.find(name, port).expect_err("nobody is meant");
            assert!(why.contains(said), "{why}");
        }
    }
}
