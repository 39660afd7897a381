use std::net::{IpAddr, SocketAddr};

/// What `--help` says of all variables.
pub(crate) const VARIABLES: &str = "\
Environment:
  NODE_ID         which of the nodes to be, alone in this process: node1, node2 and so on
  PORT            the same, by its port; with --nodes 1 where to listen [5001]
  BIND            the address where it listens, with NODE_ID or PORT or alone [127.0.0.1]
  DATA_DIR        where a node keeps its data [data/{node id}]; three nodes keep it in
                  DATA_DIR/{node id}
  CLUSTER_MEMBERS where all members are, if not on ports in a row of this machine, separated by
                  commas: http://10.0.0.1:5001,http://10.0.0.2:5002,http://10.0.0.3:5003
  CLUSTER_ADDRESS where they reach this node, if not at its place among them: then NODE_ID says
                  which it is. A node that joins others on other machines needs it, unless BIND is
                  one address
  CLUSTER_SECRET  what all nodes know and nobody else; it or TLS is needed if BIND lets others in
  CLUSTER_TLS_CA, CLUSTER_TLS_CERT, CLUSTER_TLS_KEY
                  PEM files, by which the node meets its peers over TLS
  CLUSTER_TLS_CA_KEY
                  the key of the CA, on nodes that let others in by a token
  JOIN_TOKEN      the token by which `enroll` gets a certificate
  ADMIN_TOKEN     what operators show to change the members; without it a node makes one, in
                  DATA_DIR/admin-token, where `members`, `backup` and `token` look for it, or in
                  DATA_DIR/{node id}/admin-token
  BACKUP_DIR      where a node puts the backups that operators have made; without it there are none
  BACKUP_KEEP     how many of the newest are kept there [all]
  ENGINE_VERSION_MAX
                  the newest version of the engine's rules that it goes along with [all it knows]
  RUST_LOG        how much it logs [info,openraft=error]";

/// What a process alone makes nothing of.
pub(crate) const FOR_PEERS: [&str; 8] = [
    "CLUSTER_ADDRESS",
    "CLUSTER_MEMBERS",
    "CLUSTER_SECRET",
    "CLUSTER_TLS_CA",
    "CLUSTER_TLS_CA_KEY",
    "CLUSTER_TLS_CERT",
    "CLUSTER_TLS_KEY",
    "ENGINE_VERSION_MAX",
];

/// What a variable says, if it is set.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Whether a variable says anything.
pub(crate) fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// What `PORT` says.
pub(crate) fn port() -> Result<Option<u16>, String> {
    let read = |port: String| {
        port.trim().parse().map_err(|_| {
            format!(
                "the environment variable PORT is `{port}`: it must be a port number from 0 to \
                 65535, such as 5001"
            )
        })
    };
    variable("PORT").map(read).transpose()
}

/// Where the others reach a node that joins them: as `CLUSTER_ADDRESS` says, or the one address that
/// `BIND` names, or this machine if they are all on it.
pub(crate) fn reached_at(port: u16, are_here: bool) -> Result<String, String> {
    if let Some(address) = variable("CLUSTER_ADDRESS") {
        return Ok(address);
    }
    let bind = variable("BIND").and_then(|bind| bind.trim().parse::<IpAddr>().ok());
    match bind.filter(|ip| !ip.is_unspecified()) {
        Some(ip) => Ok(format!("http://{}", SocketAddr::new(ip, port))),
        None if are_here => Ok(format!("http://localhost:{port}")),
        None => Err(format!(
            "CLUSTER_MEMBERS says where the others are: set CLUSTER_ADDRESS to where they reach this \
             node, such as http://10.0.0.4:{port}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::LOGGED;

    #[test]
    fn help_names_the_variables_that_operators_are_told_of() {
        let told = include_str!("../../../docs/operating.md");
        let words = told.split(|char: char| !(char.is_ascii_uppercase() || char == '_'));
        let variables: Vec<_> = words.filter(|word| word.trim_matches('_').contains('_')).collect();
        assert!(variables.len() > 9, "{variables:?}");
        for variable in variables {
            assert!(VARIABLES.contains(variable), "{variable}");
        }
    }

    #[test]
    fn help_says_what_is_logged() {
        assert!(VARIABLES.contains(&format!("[{LOGGED}]")));
    }
}
