//! The program as an operator calls it: once, by words.

use std::process::Command;

use order_cluster::fleet::Server;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_order-cluster");

/// What the environment of the tests might say to it.
const NOT_TAKEN_OVER: [&str; 11] = [
    "ADMIN_TOKEN",
    "BACKUP_DIR",
    "BACKUP_KEEP",
    "BIND",
    "CLUSTER_ADDRESS",
    "CLUSTER_MEMBERS",
    "CLUSTER_TLS_CA",
    "DATA_DIR",
    "JOIN_TOKEN",
    "NODE_ID",
    "PORT",
];

/// What the program says with `words`; an error if it fails.
pub(crate) fn run(words: &[&str], variables: &[(&str, &str)]) -> Result<String, String> {
    let mut command = Command::new(PROGRAM);
    for name in NOT_TAKEN_OVER {
        command.env_remove(name);
    }
    let output = command.args(words).envs(variables.iter().copied()).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("a text");
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stdout) + &text(output.stderr)),
    }
}

/// The same of a `tool` at a node, with the token that the node keeps in its directory.
pub(crate) fn run_at(server: &Server, tool: &[&str], words: &[&str]) -> Result<String, String> {
    let at = format!("http://{}", server.address());
    let dir = server.options().dir.to_str().expect("a text");
    run(&[tool, &["--at", &at], words].concat(), &[("DATA_DIR", dir)])
}
