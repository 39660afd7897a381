//! What an operator does with a cluster that runs: looks at its members, and changes them.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use comfy_table::{Table, presets};
use hyper::StatusCode;
use order_cluster::client::{Answer, Call, Client};
use order_cluster::fleet::Status;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::node_name::node_name;
use crate::options::directory_of;

/// The file in a node's directory that holds its token.
pub(crate) const TOKEN_FILE: &str = "admin-token";

/// What is asked of the members.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Asked {
    /// Show them; what is done if nothing is said.
    List,
    /// Give a learner its vote, once it has caught up.
    Promote {
        #[arg(value_parser = node_name)]
        name: String,
    },
    /// Take a member out, dead or alive. Start it again with an empty directory to have it back.
    Remove {
        #[arg(value_parser = node_name)]
        name: String,
    },
    /// Have a member lead.
    Lead {
        #[arg(value_parser = node_name)]
        name: String,
    },
}

/// Something to be done at one node of a cluster.
pub(crate) struct Operation {
    /// Where the node is: `http://localhost:5001`.
    pub(crate) at: String,
    /// Where its token is, if the environment has none: its directory, or the one above it.
    pub(crate) dir: PathBuf,
    pub(crate) asked: Asked,
}

pub(crate) async fn operate(operation: Operation) -> Result<ExitCode, Box<dyn Error>> {
    let Operation { at, dir, asked } = operation;
    let mut client = Client::new(resolve(&at).await?).patience(std::time::Duration::from_secs(60));
    let call = match &asked {
        Asked::List => return list(&at, &mut client).await,
        Asked::Promote { name } => Call::post(format!("{}/promote", path_of(name)), &()),
        Asked::Lead { name } => Call::post(format!("{}/lead", path_of(name)), &()),
        Asked::Remove { name } => Call::delete(path_of(name)),
    };
    let call = call.header("authorization", format!("Bearer {}", token(&at, &dir).await?));
    // Once it is out, it knows no more of the others than it did.
    let before = match &asked {
        Asked::Remove { .. } => Some(status(&at, &mut client).await?),
        _ => None,
    };
    let answer = client.send(&call).await.map_err(|error| format!("{at}: {error}"))?;
    if answer.status != StatusCode::NO_CONTENT {
        return Err(refusal(&answer).into());
    }
    match (&asked, before) {
        (Asked::Remove { name }, Some(before)) if before.node_id == *name => say_gone(&before),
        _ => list(&at, &mut client).await,
    }
}

/// Says that the node which was asked is out, and whom to ask now.
fn say_gone(before: &Status) -> Result<ExitCode, Box<dyn Error>> {
    let gone = &before.node_id;
    writeln!(io::stdout(), "{gone} is no member any more, and its process ends")?;
    let others = before.members.iter().filter(|member| member.id != *gone);
    if let Some(endpoint) = others.filter_map(|member| member.endpoint.as_ref()).next() {
        writeln!(io::stdout(), "the others: order-cluster members --at {endpoint}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a member is changed. Whatever its name is, that is one segment.
fn path_of(member: &str) -> String {
    format!("/cluster/members/{}", utf8_percent_encode(member, NON_ALPHANUMERIC))
}

/// What operators show, if the environment says it.
///
/// # Errors
/// When no header can hold it.
pub(crate) fn given_token() -> Result<Option<String>, String> {
    let Some(token) = std::env::var_os("ADMIN_TOKEN") else { return Ok(None) };
    let token = token.to_str().map(str::trim).filter(|token| {
        // What a header takes, and is read from it again.
        token.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    });
    let why = "ADMIN_TOKEN has a character that no header can hold: letters, digits and signs of \
               ASCII are possible";
    token.map(|token| Some(token.to_owned())).ok_or_else(|| why.to_owned())
}

/// The token of the node at `at`, unless the environment has one. It is in `dir`, or below it in the
/// directory that has the name of the node.
pub(crate) async fn token(at: &str, dir: &Path) -> Result<String, String> {
    if let Some(token) = given_token()? {
        return Ok(token);
    }
    let mut path = dir.join(TOKEN_FILE);
    if !path.exists() {
        let node = status(at, &mut Client::new(resolve(at).await?)).await?.node_id;
        path = directory_of(&node, dir).join(TOKEN_FILE);
    }
    let token = std::fs::read_to_string(&path).map_err(|error| {
        format!(
            "{}: {error}\na node keeps its token there: run this on its machine with its DATA_DIR, \
             or set ADMIN_TOKEN",
            path.display()
        )
    })?;
    Ok(token.trim().to_owned())
}

/// Where the node at `at` is: by IPv4 if it has such an address, since nodes listen there if nothing
/// is said.
pub(crate) async fn resolve(at: &str) -> Result<Vec<SocketAddr>, String> {
    let host = at.strip_prefix("http://").unwrap_or(at).trim_end_matches('/');
    let found = tokio::net::lookup_host(host).await;
    let (first, second): (Vec<_>, Vec<_>) = found
        .map_err(|error| format!("{at}: {error}; give an address such as http://localhost:5001"))?
        .partition(SocketAddr::is_ipv4);
    let found = if first.is_empty() { second } else { first };
    if found.is_empty() { Err(format!("{at} has no address")) } else { Ok(found) }
}

async fn status(at: &str, client: &mut Client) -> Result<Status, String> {
    let answer = client.send(&Call::get("/cluster/status")).await;
    let answer = answer.map_err(|error| format!("{at}: {error}"))?;
    answer.json().ok_or_else(|| refusal(&answer))
}

async fn list(at: &str, client: &mut Client) -> Result<ExitCode, Box<dyn Error>> {
    let status = status(at, client).await?;
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["member", "endpoint", "role", "status", "engine"]);
    let newer = status.members.iter().any(|member| member.engine_version > status.engine_version);
    for member in status.members {
        let role = match (member.is_leader, member.has_vote) {
            (true, _) => "leader",
            (_, true) => "voter",
            (_, false) => "learner",
        };
        let (endpoint, engine) = (member.endpoint.unwrap_or_default(), member.engine_version);
        table.add_row([&*member.id, &endpoint, role, &member.status, &engine.to_string()]);
    }
    writeln!(io::stdout(), "{table}")?;
    if newer {
        let active = status.engine_version;
        writeln!(io::stdout(), "all decide by engine version {active}, which every member knows")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Why a node did not do it, in words.
pub(crate) fn refusal(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    match answer.json::<Problem>() {
        Some(problem) => problem.detail,
        None => format!("the node answered {}", answer.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_is_found_by_ipv4_or_else_by_ipv6() {
        let found = async |at| resolve(at).await.expect("it has an address");
        assert_eq!(found("http://[::1]:5001/").await, ["[::1]:5001".parse().expect("one")]);
        assert!(found("http://localhost:5001").await.iter().all(SocketAddr::is_ipv4));
    }

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        assert_eq!(path_of("node2"), "/cluster/members/node2");
        assert_eq!(path_of("node2?x"), "/cluster/members/node2%3Fx");
        assert_eq!(path_of("../a b#ä"), "/cluster/members/%2E%2E%2Fa%20b%23%C3%A4");
    }
}
