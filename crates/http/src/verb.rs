use catga_core::{Command, Query, Replied, Request};
use catga_runtime::{CallOptions, Node};

use crate::caller::Caller;

/// How a message gets to its handler: sent as a command, or asked as a query.
pub(crate) trait Verb<M: Request>: Send + Sync + 'static {
    const IS_COMMAND: bool;

    fn call(
        node: &Node,
        message: M,
        caller: &mut Caller,
    ) -> impl Future<Output = Replied<M::Reply, M::Error>> + Send;
}

pub(crate) struct Sends;

pub(crate) struct Asks;

impl<M: Command> Verb<M> for Sends {
    const IS_COMMAND: bool = true;

    fn call(
        node: &Node,
        message: M,
        caller: &mut Caller,
    ) -> impl Future<Output = Replied<M::Reply, M::Error>> + Send {
        let mut sending = node.send(message);
        if let Some(context) = caller.take_context() {
            *sending.context_mut() = context;
        }
        sending.reported()
    }
}

impl<M: Query> Verb<M> for Asks {
    const IS_COMMAND: bool = false;

    async fn call(node: &Node, message: M, caller: &mut Caller) -> Replied<M::Reply, M::Error> {
        let mut asking = node.ask(message);
        if let Some(context) = caller.take_context() {
            *asking.context_mut() = context;
        }
        if let Some(level) = caller.level {
            asking = asking.level(level);
        }
        Replied { answer: asking.await, report: None }
    }
}
