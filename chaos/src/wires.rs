use anyhow::{Result, anyhow};
use order_cluster::fleet::ServerOptions;

use crate::network::Network;
use crate::proxies::{Link, Proxies};

/// What is between the nodes.
#[derive(Debug)]
pub(crate) enum Wires {
    /// A network for each node.
    Networks(Network),
    /// A proxy before each node; and why there are no networks.
    Proxies(Proxies, String),
}

/// What all nodes know: those in networks of their own are reached by others.
const SECRET: &str = "known to all nodes of a run, and to nobody else";

impl Wires {
    /// What a node needs to be told.
    pub(crate) fn tell(&self, number: usize, options: ServerOptions) -> ServerOptions {
        match self {
            Self::Networks(network) => options
                .host(network.host(number))
                .starter(network.starter(number))
                .variable("CLUSTER_SECRET", SECRET),
            Self::Proxies(proxies, _) => {
                let variables = proxies.variables(number).into_iter();
                variables.fold(options, |options, (name, value)| options.variable(name, value))
            }
        }
    }

    /// Nothing arrives over these links, each from one node to another.
    ///
    /// # Errors
    /// When the machine refuses.
    pub(crate) fn cut(&self, links: &[(usize, usize)]) -> Result<()> {
        match self {
            Self::Networks(network) => network.cut(links).map_err(|why| anyhow!(why)),
            Self::Proxies(proxies, _) => {
                proxies.set(links, Link::Cut);
                Ok(())
            }
        }
    }

    /// Everything arrives, at once.
    ///
    /// # Errors
    /// When the machine refuses.
    pub(crate) fn heal(&self) -> Result<()> {
        match self {
            Self::Networks(network) => network.heal().map_err(|why| anyhow!(why)),
            Self::Proxies(proxies, _) => {
                proxies.heal();
                Ok(())
            }
        }
    }

    /// What it is, in words.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Networks(_) => "a network for each node".to_owned(),
            Self::Proxies(_, why) => format!("proxies between the nodes ({why})"),
        }
    }

    /// The proxies; or why there are none.
    pub(crate) fn proxies(&self) -> Result<&Proxies, String> {
        match self {
            Self::Proxies(proxies, _) => Ok(proxies),
            Self::Networks(_) => Err("the nodes have networks of their own: --proxies".to_owned()),
        }
    }
}
