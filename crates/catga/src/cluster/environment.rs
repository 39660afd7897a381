#[cfg(test)]
mod fuzz;

use std::env;
use std::net::{IpAddr, SocketAddr};

use super::Cluster;
use super::member_address::MemberAddress;
use crate::DataDir;

/// The variables that name the files of TLS.
const TLS_FILES: [&str; 3] = ["CLUSTER_TLS_CA", "CLUSTER_TLS_CERT", "CLUSTER_TLS_KEY"];

/// Environment variables whose values cannot be used, all of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.join("; "))]
pub struct EnvironmentError {
    /// What is wrong with each.
    pub faults: Vec<String>,
}

impl Cluster {
    /// The cluster that the environment describes: `CLUSTER_MEMBERS`, separated by commas, and
    /// `CLUSTER_ID` (`catga`); and of this node what [`with_env`](Self::with_env) reads.
    ///
    /// # Errors
    /// Every variable that is missing or cannot be used.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        Self::read(&variable)
    }

    /// The same cluster, with what the environment says of this node in place of what was said
    /// before: `NODE_ID`, `PORT`, `BIND`, `DATA_DIR`, `CLUSTER_ADDRESS`, `CLUSTER_SECRET` and
    /// `ENGINE_VERSION_MAX`; and, all three or none, `CLUSTER_TLS_CA`, `CLUSTER_TLS_CERT` and
    /// `CLUSTER_TLS_KEY`, which are files.
    ///
    /// # Errors
    /// Every variable that cannot be used.
    pub fn with_env(self) -> Result<Self, EnvironmentError> {
        let mut faults = Vec::new();
        let this = self.of_this_node(&variable, &mut faults);
        if faults.is_empty() { Ok(this) } else { Err(EnvironmentError { faults }) }
    }

    fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let mut faults = Vec::new();
        let given = variable("CLUSTER_MEMBERS");
        let members = given.as_deref().unwrap_or_default().split(',').map(str::trim);
        let members: Vec<String> =
            members.filter(|member| !member.is_empty()).map(ToOwned::to_owned).collect();
        if members.is_empty() {
            let is = if given.is_some() { "empty" } else { "not set" };
            faults.push(format!(
                "CLUSTER_MEMBERS is {is}: it must name all members, such as \
                 http://node1:5001,http://node2:5001,http://node3:5001"
            ));
        }
        let id = variable("CLUSTER_ID").unwrap_or_else(|| "catga".to_owned());
        let this = Self::new(id, members).of_this_node(variable, &mut faults);
        if faults.is_empty() { Ok(this) } else { Err(EnvironmentError { faults }) }
    }

    fn of_this_node(
        mut self,
        variable: &dyn Fn(&str) -> Option<String>,
        faults: &mut Vec<String>,
    ) -> Self {
        if let Some(name) = variable("NODE_ID") {
            self = self.name(name);
        }
        if let Some(dir) = variable("DATA_DIR") {
            // How it keeps its data is the program's business.
            self.data = Some(match self.data.take() {
                Some(data) => data.at(dir),
                None => DataDir::new(dir),
            });
        }
        if let Some(address) = variable("CLUSTER_ADDRESS") {
            self = self.address(address);
        }
        if let Some(secret) = variable("CLUSTER_SECRET") {
            self = self.secret(secret);
        }
        self = self.with_tls(variable, faults);
        if let Some(version) = variable("ENGINE_VERSION_MAX") {
            match version.trim().parse() {
                Ok(version) => self = self.engine_version_max(version),
                Err(_) => faults.push(format!(
                    "the environment variable ENGINE_VERSION_MAX is `{version}`: it must be a number"
                )),
            }
        }
        let mut bad = |name: &str, value: &str, must: &str| {
            faults.push(format!("the environment variable {name} is `{value}`: it must be {must}"));
        };
        let port = variable("PORT").and_then(|value| {
            let port = value.trim().parse::<u16>();
            port.map_err(|_| bad("PORT", &value, "a port number from 0 to 65535, such as 5001"))
                .ok()
        });
        let bind = variable("BIND").and_then(|value| {
            let bind = value.trim().parse::<IpAddr>();
            bind.map_err(|_| bad("BIND", &value, "an IP address, such as 0.0.0.0 for all")).ok()
        });
        if port.is_some() || bind.is_some() {
            self.listen = self.listening_at(port, bind).or(self.listen);
        }
        self
    }

    /// What the three variables of TLS say: of some of them, that the others are missing.
    fn with_tls(self, variable: &dyn Fn(&str) -> Option<String>, faults: &mut Vec<String>) -> Self {
        let read = TLS_FILES.map(|name| variable(name).filter(|value| !value.is_empty()));
        let missing: Vec<_> =
            TLS_FILES.into_iter().zip(&read).filter(|(_, file)| file.is_none()).collect();
        let missing: Vec<_> = missing.into_iter().map(|(name, _)| name).collect();
        match read {
            [None, None, None] => self,
            [Some(ca), Some(certificate), Some(key)] => {
                self.with_files([ca, certificate, key], faults)
            }
            _ => {
                let are = if missing.len() == 1 { "is" } else { "are" };
                let missing = missing.join(" and ");
                faults
                    .push(format!("TLS between peers needs three files: {missing} {are} not set"));
                self
            }
        }
    }

    #[cfg(feature = "tls")]
    fn with_files(self, [ca, certificate, key]: [String; 3], _: &mut Vec<String>) -> Self {
        // How it uses them is the program's business.
        let tls = match self.tls.clone() {
            Some(tls) => tls.at(ca, certificate, key),
            None => catga_cluster::Tls::from_files(ca, certificate, key),
        };
        self.tls(tls)
    }

    #[cfg(not(feature = "tls"))]
    fn with_files(self, _: [String; 3], faults: &mut Vec<String>) -> Self {
        let [ca, ..] = TLS_FILES;
        faults.push(format!("{ca} is set, and this program is built without TLS: build it with the feature `tls` of catga"));
        self
    }

    /// Where to listen, if `port` and `bind` say enough: the rest is as its address among the
    /// members wants it.
    fn listening_at(&self, port: Option<u16>, bind: Option<IpAddr>) -> Option<SocketAddr> {
        let port = port.or(self.listen.map(|at| at.port()));
        let bind = bind.or(self.listen.map(|at| at.ip()));
        let members: Vec<_> =
            self.members.iter().filter_map(|member| MemberAddress::read(member).ok()).collect();
        let with_port = port.map(|port| {
            let ip = bind.unwrap_or([127, 0, 0, 1].into());
            Self { listen: Some(SocketAddr::new(ip, port)), ..self.clone() }
        });
        let own = with_port.as_ref().unwrap_or(self).own(&members, &mut Vec::new());
        let port = port.or(own.as_ref().map(MemberAddress::port))?;
        let ip = match (bind, own) {
            (Some(ip), _) => ip,
            (None, Some(own)) => Self { listen: None, ..self.clone() }.listening(&own).ip(),
            (None, None) => [127, 0, 0, 1].into(),
        };
        Some(SocketAddr::new(ip, port))
    }
}

fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use catga_runtime::Backend;

    use super::*;

    const MEMBERS: &str = "http://node1:5001,http://node2:5001, http://node3:5001";

    fn read(variables: &'static [(&'static str, &'static str)]) -> Result<Cluster, String> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        };
        Cluster::read(&find).map_err(|error| error.to_string())
    }

    #[test]
    fn a_node_is_found_among_the_members_by_its_name_or_its_port() {
        let own = |cluster: &Cluster| {
            let mut faults = Vec::new();
            let members = cluster.members(&mut faults);
            let own = cluster.own(&members, &mut faults);
            assert!(own.is_none() || faults.is_empty(), "{faults:?}");
            own.map(|own| (own.to_string(), cluster.listening(&own).to_string()))
        };
        let of = |own: &str, at: &str| Some((own.to_owned(), at.to_owned()));
        let named = read(&[("CLUSTER_MEMBERS", MEMBERS), ("NODE_ID", "node2")]).expect("read");
        assert_eq!(own(&named), of("node2:5001", "0.0.0.0:5001"));
        let unnamed = read(&[("CLUSTER_MEMBERS", MEMBERS), ("NODE_ID", "other")]).expect("read");
        assert_eq!(own(&unnamed), None);
        let local = "http://localhost:5001,http://localhost:5002";
        let local = Cluster::new("c", local.split(',')).name("node2");
        let by_port = local.clone().listen(([127, 0, 0, 1], 5002).into());
        assert_eq!(own(&by_port), of("localhost:5002", "127.0.0.1:5002"));
        assert_eq!(own(&local), None, "its port is not known");
        let bound = read(&[
            ("CLUSTER_MEMBERS", "http://localhost:5001,http://localhost:5002"),
            ("PORT", "5002"),
        ]);
        assert_eq!(own(&bound.expect("read")), of("localhost:5002", "127.0.0.1:5002"));
        let everywhere =
            read(&[("CLUSTER_MEMBERS", MEMBERS), ("NODE_ID", "node3"), ("BIND", "10.0.0.3")]);
        assert_eq!(own(&everywhere.expect("read")), of("node3:5001", "10.0.0.3:5001"));
    }

    #[test]
    fn another_port_is_at_the_address_where_the_program_listens() {
        let program = Cluster::new("c", MEMBERS.split(',')).name("node2");
        let program = program.listen(([127, 0, 0, 1], 5002).into());
        let listens = |variable: &'static str, value: &'static str| {
            let find = |name: &str| (name == variable).then(|| value.to_owned());
            program.clone().of_this_node(&find, &mut Vec::new()).listen.map(|at| at.to_string())
        };
        assert_eq!(listens("PORT", "7001").as_deref(), Some("127.0.0.1:7001"));
        assert_eq!(listens("BIND", "0.0.0.0").as_deref(), Some("0.0.0.0:5002"));
    }

    #[test]
    fn another_directory_is_kept_as_the_program_says() {
        let program = DataDir::new("data/node1").checkpoint_bytes(77);
        let cluster = Cluster::new("c", ["http://node1:5001"]).data_dir(program);
        let find = |name: &str| (name == "DATA_DIR").then(|| "elsewhere".to_owned());
        let moved = cluster.of_this_node(&find, &mut Vec::new());
        assert_eq!(moved.data, Some(DataDir::new("elsewhere").checkpoint_bytes(77)));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let variables = &[("PORT", "http"), ("BIND", "here"), ("ENGINE_VERSION_MAX", "new")];
        let error = read(variables).expect_err("nothing fits");
        for wrong in ["CLUSTER_MEMBERS", "PORT", "BIND", "ENGINE_VERSION_MAX"] {
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn what_is_missing_is_said_in_words() {
        for variables in [&[("CLUSTER_MEMBERS", "")], &[("CLUSTER_MEMBERS", " , ")]] {
            let error = read(variables).expect_err("nobody");
            assert!(error.starts_with("CLUSTER_MEMBERS is empty: it must name "), "{error}");
        }
        let error = read(&[]).expect_err("nobody");
        assert!(error.starts_with("CLUSTER_MEMBERS is not set: it must name "), "{error}");
        let one = read(&[
            ("CLUSTER_MEMBERS", MEMBERS),
            ("CLUSTER_TLS_CA", "ca"),
            ("CLUSTER_TLS_KEY", "key"),
        ]);
        let error = one.expect_err("a file is missing");
        assert!(error.ends_with(": CLUSTER_TLS_CERT is not set"), "{error}");
        let two = read(&[("CLUSTER_MEMBERS", MEMBERS), ("CLUSTER_TLS_CA", "ca")]);
        let error = two.expect_err("two files are missing");
        assert!(error.ends_with(": CLUSTER_TLS_CERT and CLUSTER_TLS_KEY are not set"), "{error}");
    }

    #[test]
    fn an_option_is_named_as_the_environment_has_it() {
        let told = |cluster: Cluster| {
            let mut faults = Vec::new();
            Backend::check(&cluster, &mut faults);
            faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let local = || Cluster::new("c", ["http://localhost:5001"]);
        assert_eq!(told(local()), [""; 0]);
        for (cluster, starts, variable) in [
            (Cluster::new("c", [""; 0]), "`members` is not set: ", "CLUSTER_MEMBERS"),
            (Cluster::new("c", ["here"]), "option `members` cannot be here: ", "CLUSTER_MEMBERS"),
            (Cluster::new("c", ["http://node1:5001"]), "`secret` is not set: ", "CLUSTER_SECRET"),
            (local().secret("short"), "option `secret` cannot be so short: ", "CLUSTER_SECRET"),
            (local().address("x"), "option `address` cannot be x: ", "CLUSTER_ADDRESS"),
            (
                local().engine_version_max(0),
                "option `engine_version_max` cannot be 0: ",
                "ENGINE_VERSION_MAX",
            ),
        ] {
            let faults = told(cluster);
            assert!(faults[0].starts_with(starts), "{faults:?}");
            assert!(faults[0].contains(&format!("({variable}")), "{faults:?}");
        }
    }
}
