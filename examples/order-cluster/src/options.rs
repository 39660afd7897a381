use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::demo::Demo;
use crate::run::Serving;

const VARIABLES: &str = "\
Environment:
  NODE_ID   who the node is; its data belongs to this name [node1]
  PORT      the port where it listens [5001]
  BIND      the address where it listens [127.0.0.1]
  DATA_DIR  where it keeps its data [data/{node id}]
  RUST_LOG  how much it logs [info]";

/// The order service.
///
/// One process that keeps its data on disk: an order that was acknowledged survives the loss of
/// power. Its API is described at /swagger-ui.
#[derive(Parser)]
#[command(after_help = VARIABLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    tool: Option<Tool>,
    /// How many nodes to run; so far there is one.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=1))]
    nodes: u8,
    /// Keep nothing: what is ordered is gone with the process.
    #[arg(long, conflicts_with = "demo")]
    memory: bool,
    /// Show a crash: start the service, place orders, kill it in the middle, start it again, and
    /// count what was lost. Its data is kept if DATA_DIR says where, and removed otherwise.
    #[arg(long)]
    demo: bool,
    /// How often the demo kills the service.
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
    /// End when standard input ends: with whoever started this.
    #[arg(long, hide = true)]
    with_parent: bool,
}

/// Looks at the data of a node that does not run; changes nothing.
#[derive(Subcommand)]
enum Tool {
    /// Read every byte of a data directory, and name what is damaged.
    Verify {
        /// The directory; as DATA_DIR says if it is left out.
        dir: Option<PathBuf>,
    },
    /// Write the journal to standard output, a line of JSON for each effect.
    Dump {
        /// The directory; as DATA_DIR says if it is left out.
        dir: Option<PathBuf>,
    },
}

/// What the program is asked to do.
pub(crate) enum Task {
    Verify(PathBuf),
    Dump(PathBuf),
    Serve(Serving),
    Demo(Demo),
}

impl Options {
    /// What is asked for, by the options and the environment.
    pub(crate) fn task(self) -> Task {
        let node = std::env::var_os("NODE_ID")
            .map_or_else(|| "node1".to_owned(), |name| name.to_string_lossy().into_owned());
        let dir = || data_dir().unwrap_or_else(|| default_dir(&node));
        match self.tool {
            Some(Tool::Verify { dir: given }) => return Task::Verify(given.unwrap_or_else(dir)),
            Some(Tool::Dump { dir: given }) => return Task::Dump(given.unwrap_or_else(dir)),
            None => {}
        }
        if self.demo {
            let (kills, orders) = (self.kills.into(), self.orders as usize);
            return Task::Demo(Demo { dir: data_dir(), kills, orders });
        }
        let dir = (!self.memory).then(dir);
        Task::Serve(Serving { node, dir, with_parent: self.with_parent })
    }
}

/// What `DATA_DIR` says.
pub(crate) fn data_dir() -> Option<PathBuf> {
    std::env::var_os("DATA_DIR").map(PathBuf::from)
}

fn default_dir(node: &str) -> PathBuf {
    // A name with a separator, or of dots alone, would lead somewhere else.
    let mut name = node.replace(std::path::is_separator, "_");
    if name.chars().all(|char| char == '.') {
        name = name.replace('.', "_");
    }
    PathBuf::from("data").join(name)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
        assert!(Options::try_parse_from(["order-cluster", "--kills", "2"]).is_err());
        assert!(Options::try_parse_from(["order-cluster", "--demo", "--kills", "2"]).is_ok());
        assert!(Options::try_parse_from(["order-cluster", "--demo", "--memory"]).is_err());
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
