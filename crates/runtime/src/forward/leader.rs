use std::collections::BTreeMap;
use std::fmt;
use std::sync::Weak;

use bytes::Bytes;
use catga_core::{Fault, FaultCode, NodeName};
use catga_host::BoxFuture;
use catga_journal::Journal;

use super::request::{ReadRequestError, Request, RequestBody};
use super::{ForwardAnswer, ForwardedCommand};
use crate::PeerRequests;
use crate::node::{Inner, shutting_down};

/// Runs the handler of one command for another node.
pub(crate) trait Remote: Send + Sync + 'static {
    /// The answer to `command`, whatever comes of it. Edge layers have run where it was called.
    fn run(&self, command: Box<ForwardedCommand>) -> BoxFuture<'_, ForwardAnswer>;
}

/// What runs each command for other nodes, by its written name; nothing without peers.
pub(crate) type Remotes = BTreeMap<&'static str, Box<dyn Remote>>;

/// Answers the requests of other nodes, as long as the node is there.
pub(crate) struct Requests(pub(crate) Weak<Inner>);

impl PeerRequests for Requests {
    fn handle(&self, from: &NodeName, request: Bytes) -> BoxFuture<'static, Bytes> {
        let (node, from) = (self.0.upgrade(), from.clone());
        Box::pin(async move {
            let answer = match node {
                Some(node) => node.answer(&from, request).await,
                None => ForwardAnswer::again(shutting_down()),
            };
            answer.encode()
        })
    }
}

impl Inner {
    async fn answer(&self, from: &NodeName, request: Bytes) -> ForwardAnswer {
        let request = match Request::decode(request, self.limits.command_bytes) {
            Ok(request) => request,
            Err(error) => return ForwardAnswer::failed(unreadable(from, &error)),
        };
        if !self.lifecycle.is_running() {
            return ForwardAnswer::again(shutting_down());
        }
        let leadership = self.journal.leadership();
        if leadership.role != catga_journal::Role::Leader {
            return ForwardAnswer::not_leader(leadership);
        }
        match request.body {
            RequestBody::Effect(effect) => {
                self.committer.commit_forwarded(*effect, request.remaining).await
            }
            RequestBody::Command(command) => match self.remotes.get(command.name.as_str()) {
                Some(remote) => remote.run(command).await,
                None => ForwardAnswer::failed(no_handler(&self.name, &command.name)),
            },
        }
    }
}

/// What a node says of a command that its own journal, and not a handler, has failed.
pub(crate) fn machinery_answer(journal: &dyn Journal, fault: Fault) -> ForwardAnswer {
    if let Some(failure) = journal.failure() {
        // Whatever it says then, it cannot tell what became of anything.
        let message = format!("the journal of the leader has stopped: {}", failure.message());
        return ForwardAnswer::again(Fault::new(FaultCode::InDoubt, message));
    }
    match fault.code() {
        FaultCode::NotLeader => ForwardAnswer::not_leader(journal.leadership()),
        FaultCode::InDoubt | FaultCode::ShuttingDown => ForwardAnswer::again(fault),
        _ => ForwardAnswer::failed(fault),
    }
}

#[cold]
fn no_handler(leader: &NodeName, name: &str) -> Fault {
    Fault::new(
        FaultCode::NoHandler,
        format!(
            "{leader} leads, and nothing there handles `{name}`; finish the upgrade of all nodes, \
             or add a service that does to their builders"
        ),
    )
}

#[cold]
fn unreadable(from: &NodeName, error: &ReadRequestError) -> Fault {
    let code = match error {
        ReadRequestError::TooLarge(..) => FaultCode::CommandTooLarge,
        ReadRequestError::Malformed(_) => FaultCode::InvalidMessage,
        ReadRequestError::Newer(_) => FaultCode::LogUnavailable,
    };
    let message = format!("the leader cannot take the request of {from}: {error}");
    Fault::new(code, message)
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}
