use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use catga_core::{Fault, FaultCode, NodeName};
use catga_host::BoxFuture;
use catga_journal::Journal;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::answer::batch_answer;
use super::request::{Incoming, ReadRequestError, Request, RequestBody};
use super::{ForwardAnswer, ForwardedCommand};
use crate::PeerRequests;
use crate::node::{Inner, shutting_down};

/// How long the answers to several requests wait for each other. What is recorded need not come
/// sooner, since the origin's own apply answers it; and all that is decided by one entry comes at
/// once, unless the disk takes longer than this.
const TOGETHER_FOR: Duration = Duration::from_millis(25);

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
            let Some(node) = node else {
                return ForwardAnswer::again(shutting_down()).encode();
            };
            match Incoming::decode(request, node.limits.command_bytes) {
                Ok(Incoming::One(request)) => node.answer(request).await.encode(),
                Ok(Incoming::Several(requests)) => node.answer_all(from, requests).await,
                Err(error) => ForwardAnswer::failed(unreadable(&from, &error)).encode(),
            }
        })
    }
}

impl Inner {
    /// The answers to several requests, in one. What takes long goes on by itself: the others do
    /// not wait for it, and whoever does asks again.
    async fn answer_all(self: Arc<Self>, from: NodeName, requests: Vec<Bytes>) -> Bytes {
        let mut answers = vec![None; requests.len()];
        let mut running: FuturesUnordered<_> = requests
            .into_iter()
            .enumerate()
            .map(|(place, request)| {
                let (node, from) = (Arc::clone(&self), from.clone());
                async move {
                    let answer = match Request::decode(request, node.limits.command_bytes) {
                        Ok(request) => node.answer(request).await,
                        Err(error) => ForwardAnswer::failed(unreadable(&from, &error)),
                    };
                    (place, answer.encode())
                }
            })
            .collect();
        let until = self.host.now().saturating_add(TOGETHER_FOR);
        let all = async {
            while let Some((place, answer)) = running.next().await {
                answers[place] = Some(answer);
            }
        };
        if self.committer.deadlines.by(until, all).await.is_err() {
            let rest = async move { while running.next().await.is_some() {} };
            drop(self.host.spawn("forwarded", Box::pin(rest)));
        }
        let answers = answers.into_iter();
        batch_answer(answers.map(|it| it.unwrap_or_else(|| ForwardAnswer::Runs.encode())).collect())
    }

    async fn answer(&self, request: Request) -> ForwardAnswer {
        if !self.lifecycle.is_running() {
            return ForwardAnswer::again(shutting_down());
        }
        let leadership = self.journal.leadership();
        if leadership.role != catga_journal::Role::Leader {
            return ForwardAnswer::not_leader(leadership);
        }
        match request.body {
            RequestBody::Effect(effect) => {
                Box::pin(self.committer.commit_forwarded(*effect, request.remaining)).await
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
