use std::fmt;
use std::marker::PhantomData;

use catga_core::{Answer, Command, Contract, Failure, Fault, FaultCode, Offers, Query};

use crate::{Node, OwnNode};

/// A client of one contract: it sends and asks what the contract holds, and nothing else compiles.
///
/// `Client<Orders>` is a client of the service `Orders`; a contract of its own crate serves callers
/// that do not see the service.
pub struct Client<C> {
    link: Link,
    contract: PhantomData<fn(C)>,
}

#[derive(Clone)]
enum Link {
    /// Made by a running node.
    Node(Node),
    /// Made while a node was being built.
    Wired(OwnNode),
}

impl<C: Contract> Client<C> {
    pub(crate) fn of(node: Node) -> Self {
        Self { link: Link::Node(node), contract: PhantomData }
    }

    pub(crate) fn wired(node: OwnNode) -> Self {
        Self { link: Link::Wired(node), contract: PhantomData }
    }

    /// Sends a command of the contract.
    ///
    /// # Errors
    /// What its handler refused, or a fault.
    ///
    /// # Cancel safety
    /// Dropping the future neither cancels nor disproves the command.
    pub async fn send<M: Command>(&self, command: M) -> Answer<M::Reply, M::Error>
    where
        C: Offers<M>,
    {
        self.node().map_err(Failure::Fault)?.send(command).await
    }

    /// Asks a query of the contract.
    ///
    /// # Errors
    /// What its handler refused, or a fault.
    pub async fn ask<M: Query>(&self, query: M) -> Answer<M::Reply, M::Error>
    where
        C: Offers<M>,
    {
        self.node().map_err(Failure::Fault)?.ask(query).await
    }

    fn node(&self) -> Result<Node, Fault> {
        match &self.link {
            Link::Node(node) => Ok(node.clone()),
            Link::Wired(node) => node.get().map_err(|fault| match fault.code() {
                FaultCode::Starting => Fault::new(
                    FaultCode::Starting,
                    format!("the client of `{}` was used before its node had started", C::NAME),
                ),
                _ => fault,
            }),
        }
    }
}

impl<C> Clone for Client<C> {
    fn clone(&self) -> Self {
        Self { link: self.link.clone(), contract: PhantomData }
    }
}

impl<C: Contract> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("contract", &C::NAME).finish_non_exhaustive()
    }
}
