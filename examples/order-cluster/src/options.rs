use std::path::{Path, PathBuf};
use std::time::Duration;

use catga::tools::Which;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::demo::Demo;
use crate::enrolling::{Admitting, Enrolling};
use crate::environment::{FOR_PEERS, VARIABLES, is_set, port, reached_at, variable};
use crate::members::Members;
use crate::node_name::node_name;
use crate::operate::{Asked, Operation};
use crate::run::{Data, Place, Serving};
use crate::trio::Trio;

/// The order service.
///
/// Three processes that are one cluster: an order that was acknowledged is on the disks of two of
/// them, and any one may fail. With NODE_ID or PORT it is one of the three; with --nodes 1 a process
/// alone. Its API is described at /swagger-ui.
#[derive(Parser)]
#[command(after_help = VARIABLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    tool: Option<Tool>,
    /// How many nodes: 3, or 5, or 1 without a cluster.
    #[arg(
        long, default_value = "3", default_value_if("memory", "true", "1"),
        value_parser = ["1", "3", "5"]
    )]
    nodes: String,
    /// The port of the first node; the others follow it.
    #[arg(long, default_value_t = 5001, value_parser = clap::value_parser!(u16).range(1..=65531))]
    port: u16,
    /// Join the cluster that is there as one more node, by the name NODE_ID, on PORT; it follows
    /// without a vote until it is promoted.
    #[arg(long, conflicts_with = "demo")]
    join: bool,
    /// Keep nothing, in one process: what is ordered is gone with it.
    #[arg(long, conflicts_with = "demo")]
    memory: bool,
    /// Show crashes: start the service, place orders, kill the leader in the middle, start it again,
    /// and count what was lost. The data is kept if DATA_DIR says where, and removed otherwise.
    #[arg(long)]
    demo: bool,
    /// How often the demo kills the leader.
    #[arg(
        long, default_value_t = 3, requires = "demo",
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    kills: u16,
    /// How many orders the demo places, at least.
    #[arg(
        long, default_value_t = 20_000, requires = "demo",
        value_parser = clap::value_parser!(u32).range(100..=80_000)
    )]
    orders: u32,
    /// Let the nodes meet by TLS, with what `certificates` has left in this directory.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["memory", "demo"])]
    tls: Option<PathBuf>,
    /// End when standard input ends: with whoever started this.
    #[arg(long, hide = true)]
    with_parent: bool,
    /// Keep little of the log, so that a node that was down has to take over another one's state.
    #[arg(long, hide = true)]
    short_log: bool,
}

/// Does something else than to serve.
#[derive(Subcommand)]
enum Tool {
    /// Show the members of a cluster that runs, and change who they are.
    Members {
        /// The node that is asked, whichever it is.
        #[arg(long, default_value = "http://localhost:5001")]
        at: String,
        #[command(subcommand)]
        asked: Option<Asked>,
    },
    /// Have a node that runs back its cluster up, into the directory that its BACKUP_DIR says.
    Backup {
        /// The node that makes the backup, whichever it is.
        #[arg(long, default_value = "http://localhost:5001")]
        at: String,
    },
    /// Show the backups in a directory.
    Backups {
        /// The directory; as BACKUP_DIR says if it is left out.
        dir: Option<PathBuf>,
    },
    /// Make the directory of a new node of a backup. The node is a cluster of its own, which others
    /// join with empty directories.
    Restore {
        /// The directory of the backups.
        #[arg(value_name = "BACKUP_DIR")]
        from: PathBuf,
        /// The directory of the new node, where nothing is yet.
        #[arg(long, value_name = "DATA_DIR")]
        into: PathBuf,
        /// The name of the new node, its NODE_ID.
        #[arg(long, value_parser = node_name)]
        name: String,
        /// Which backup: `latest`, or a number that `backups` shows.
        #[arg(long, default_value = "latest")]
        which: Which,
    },
    /// Read every byte of the directory of a node that does not run, or of one of backups, and name
    /// what is damaged.
    Verify {
        /// The directory; as DATA_DIR says if it is left out.
        dir: Option<PathBuf>,
    },
    /// Write the journal of a node that does not run to standard output, a line of JSON for each effect.
    Dump {
        /// The directory; as DATA_DIR says if it is left out.
        dir: Option<PathBuf>,
    },
    /// Make a CA and certificates for the three nodes, to try TLS out: for development alone.
    ///
    /// They are good for 30 days. The CA's key is not kept unless that is asked for. What a cluster
    /// that others rely on runs with comes from a CA of its own.
    Certificates {
        /// The directory, where nothing of theirs may be yet.
        #[arg(default_value = "certificates")]
        dir: PathBuf,
        /// Keep the CA's key there too, so that nodes which run with this directory can let others
        /// in by a token.
        #[arg(long)]
        keep_ca_key: bool,
    },
    /// Let new nodes in: make the tokens by which they get their certificates.
    Token {
        #[command(subcommand)]
        asked: Admitting,
    },
    /// Get the certificate of a new node by a token, once. If no answer comes, give the same command
    /// again: the node's key is kept, and the token is good for it.
    Enroll(Enrolling),
}

/// Where nodes have their directories if nothing is said.
const DATA: &str = "data";

/// How many nodes a cluster is founded with at most.
const NODES_MAX: u16 = 5;

/// How long the certificates of `certificates` are valid.
const VALID: Duration = Duration::from_secs(30 * 24 * 3600);

/// What the program is asked to do.
pub(crate) enum Task {
    Verify(PathBuf),
    Dump(PathBuf),
    BackUp { at: String, dir: PathBuf },
    Backups(PathBuf),
    Restore { from: PathBuf, which: Which, into: PathBuf, name: String },
    Operate(Operation),
    Certificates { dir: PathBuf, nodes: Vec<String>, valid: Duration, keep_ca_key: bool },
    Admit { asked: Admitting, dir: PathBuf },
    Enroll(Enrolling),
    Serve(Serving),
    Three(Trio),
    Demo(Demo),
}

impl Options {
    /// What is asked for, by the options and the environment. What does not fit together ends the
    /// program.
    ///
    /// # Errors
    /// When the environment means none of the three nodes.
    pub(crate) fn task(self) -> Result<Task, String> {
        let node = variable("NODE_ID");
        let dir = |node: &str| data_dir().unwrap_or_else(|| default_dir(node));
        let alone = node.clone().unwrap_or_else(|| "node1".to_owned());
        match self.tool {
            Some(Tool::Verify { dir: given }) => {
                return Ok(Task::Verify(given.unwrap_or_else(|| dir(&alone))));
            }
            Some(Tool::Dump { dir: given }) => {
                return Ok(Task::Dump(given.unwrap_or_else(|| dir(&alone))));
            }
            Some(Tool::Backup { at }) => return Ok(Task::BackUp { at, dir: dir_of_all() }),
            Some(Tool::Backups { dir: given }) => {
                let given = given.or_else(|| variable("BACKUP_DIR").map(PathBuf::from));
                let why = "name the directory of the backups, or set BACKUP_DIR";
                return given.map(Task::Backups).ok_or_else(|| why.to_owned());
            }
            Some(Tool::Restore { from, into, name, which }) => {
                return Ok(Task::Restore { from, which, into, name });
            }
            Some(Tool::Members { at, asked }) => {
                let asked = asked.unwrap_or(Asked::List);
                return Ok(Task::Operate(Operation { at, dir: dir_of_all(), asked }));
            }
            Some(Tool::Token { asked }) => return Ok(Task::Admit { asked, dir: dir_of_all() }),
            Some(Tool::Enroll(enrolling)) => return Ok(Task::Enroll(enrolling)),
            Some(Tool::Certificates { dir, keep_ca_key }) => {
                let nodes = Members::here(self.port, NODES_MAX).all();
                let nodes = nodes.into_iter().map(|member| member.name).collect();
                return Ok(Task::Certificates { dir, nodes, valid: VALID, keep_ca_key });
            }
            None => {}
        }
        let count = self.nodes.parse().expect("it is one of the possible values");
        let is_alone = count == 1;
        self.fits_together(is_alone)?;
        if self.demo {
            let (kills, orders) = (self.kills.into(), self.orders as usize);
            return Ok(Task::Demo(Demo { is_alone, dir: data_dir(), kills, orders }));
        }
        let given = variable("CLUSTER_MEMBERS").filter(|_| !is_alone);
        let are_here = given.is_none();
        let members = match given {
            Some(members) => Members::at(&members)?,
            None => Members::here(self.port, count),
        };
        let port = port()?;
        if self.join {
            let (Some(node), Some(port)) = (node, port) else {
                let why = "--join is for a node that is none of the first: give it a NODE_ID and a \
                           PORT of its own";
                return Err(why.to_owned());
            };
            let address = reached_at(port, are_here)?;
            let mut member = members.joined_by(node, port, address);
            member.tls = self.tls.clone();
            let (node, dir) = (member.name.clone(), self.data(dir(&member.name)));
            let place = Place::Cluster(member, dir);
            return Ok(Task::Serve(Serving { node, place, with_parent: self.with_parent }));
        }
        // Reached at another address than where it listens, a node is known by its name alone.
        let is_elsewhere = variable("CLUSTER_ADDRESS").is_some();
        let port = port.filter(|_| !is_elsewhere);
        let (node, place) = match (is_alone, port) {
            (true, _) if self.memory => (alone, Place::Memory),
            (true, _) => {
                let dir = self.data(dir(&alone));
                (alone, Place::Disk(dir))
            }
            (false, None) if node.is_none() && are_here && !is_elsewhere => {
                if is_set("BIND") {
                    let why = "BIND is where a node of its own listens, and without NODE_ID all are \
                               on this machine, at 127.0.0.1: say with NODE_ID which one this is, or \
                               unset BIND";
                    return Err(why.to_owned());
                }
                return Ok(Task::Three(Trio { members, dir: dir_of_all(), tls: self.tls }));
            }
            (false, port) => {
                let mut member = members.find(node.as_deref(), port)?;
                member.tls = self.tls.clone();
                let dir = self.data(dir(&member.name));
                (member.name.clone(), Place::Cluster(member, dir))
            }
        };
        Ok(Task::Serve(Serving { node, place, with_parent: self.with_parent }))
    }
}

impl Options {
    /// Ends the program if the options do not fit together.
    ///
    /// # Errors
    /// When the environment does not fit them, or what they name is not there.
    fn fits_together(&self, is_alone: bool) -> Result<(), String> {
        let conflicts = [
            (
                is_alone && self.tls.is_some(),
                "--tls is for nodes that have peers: leave out --nodes 1",
            ),
            (
                is_alone && self.join,
                "--join is for nodes that have peers: leave out --nodes 1 or --memory",
            ),
            (
                !is_alone && self.memory,
                "--memory keeps nothing, which is for one process: leave out --nodes",
            ),
        ];
        if let Some((_, why)) = conflicts.into_iter().find(|(is_one, _)| *is_one) {
            Self::command().error(ErrorKind::ArgumentConflict, why).exit();
        }
        let set: Vec<_> = FOR_PEERS.into_iter().filter(|name| is_alone && is_set(name)).collect();
        if !set.is_empty() {
            return Err(format!(
                "{}: that is for nodes that have peers, and a process alone makes nothing of it: \
                 unset it, or leave out --nodes 1 or --memory",
                set.join(", ")
            ));
        }
        match &self.tls {
            Some(dir) if !dir.is_dir() => Err(format!(
                "--tls names `{dir}`, which is no directory: make certificates there with \
                 `order-cluster certificates {dir}`, or name the directory where they are",
                dir = dir.display()
            )),
            _ => Ok(()),
        }
    }

    fn data(&self, path: PathBuf) -> Data {
        Data { path, short_log: self.short_log }
    }
}

/// What `DATA_DIR` says.
fn data_dir() -> Option<PathBuf> {
    std::env::var_os("DATA_DIR").map(PathBuf::from)
}

/// Where nodes have their directories.
fn dir_of_all() -> PathBuf {
    data_dir().unwrap_or_else(|| DATA.into())
}

fn default_dir(node: &str) -> PathBuf {
    directory_of(node, Path::new(DATA))
}

/// The directory of `node` below `dir`.
pub(crate) fn directory_of(node: &str, dir: &Path) -> PathBuf {
    // A name with a separator, or of dots alone, would lead somewhere else.
    let mut name = node.replace(std::path::is_separator, "_");
    if name.chars().all(|char| char == '.') {
        name = name.replace('.', "_");
    }
    dir.join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
        assert!(Options::try_parse_from(["order-cluster", "--kills", "2"]).is_err());
        assert!(Options::try_parse_from(["order-cluster", "--demo", "--kills", "2"]).is_ok());
        assert!(Options::try_parse_from(["order-cluster", "--demo", "--memory"]).is_err());
        assert!(Options::try_parse_from(["order-cluster", "--nodes", "2"]).is_err());
        assert!(Options::try_parse_from(["order-cluster", "--nodes", "5"]).is_ok());
        assert!(Options::try_parse_from(["order-cluster", "--port", "65534"]).is_err());
        assert!(Options::try_parse_from(["order-cluster", "verify", "data/node1"]).is_ok());
        assert!(Options::try_parse_from(["order-cluster", "--demo", "dump"]).is_err());
    }

    #[test]
    fn data_stays_below_the_default_directory() {
        assert_eq!(default_dir("node1"), PathBuf::from("data/node1"));
        assert_eq!(default_dir("/etc"), PathBuf::from("data/_etc"));
        assert_eq!(default_dir(".."), PathBuf::from("data/__"));
    }
}
